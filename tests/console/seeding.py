"""A database with orders as the program makes them, and a console over it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from alerts.formats.registry import DIALECTS
from alerts.preview import Previewer
from alerts.replaying import Replayer
from app.kept_prices import would_cancel
from command_service import CommandService, ResolvedFill
from console import AlertDoor, TradingMode, create_console, create_health
from domain.account_state import AccountState
from domain.adoption import Adoption, AdoptionRequest
from domain.alert import Alert, Delivery
from domain.alert_defaults import NO_DEFAULTS
from domain.broker_reports import Position, PositionsSnapshot, UnreadableRow
from domain.commands import OrderResult
from domain.daily_loss import Lift
from domain.enums import DecisionType, Outcome, Side
from domain.errors import NotFound, NothingToLift
from domain.ids import client_order_id, command_id
from domain.limits import ClientPolicy, LimitBook
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import advance, register
from domain.planned_exit import PlannedExit
from domain.ports import Halt, Heartbeat
from domain.reason_codes import Reason
from domain.refused_deliveries import RefusedDeliveries
from domain.states import Phase
from domain.transitions import blocked, claimed, placed, refused, unknown
from engine.risk_reports import RiskReports
from notifications.messages import render
from persistence.database import open_database
from persistence.sqlite.database import Readers
from persistence.sqlite.queries.orders import OrderQueries
from tests.migrated import migrated
from tests.orders import an_entry_order
from tests.support import START, ManualClock, SeededIds
from use_cases.register_alert import RegisterAlert
from use_cases.replay_alert import ReplayAlert

TOKEN = "a-long-console-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
WATCHER_LOOPS = [("scheduler", ""), ("wake", ""), ("outbox", ""), ("execute", "default"), ("exits", "default"),
                 ("reconcile", "default")]  # fmt: skip


@dataclass
class Control:
    """Notes what it was asked for; resolving and cancelling are the program's own."""

    commands: CommandService | None = None
    reports: RiskReports | None = None
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def halt(self, client_id: str, strategy_name: str | None, by: str, reason: str) -> None:
        if client_id == "nobody":
            raise NotFound("no client 'nobody'")
        self.asked.append(("halt", client_id, strategy_name, by, reason))

    def resume(self, client_id: str, strategy_name: str | None, by: str) -> bool:
        self.asked.append(("resume", client_id, strategy_name, by))
        return strategy_name != "RUNNING"

    def lift(self, client_id: str, by: str, reason: str) -> Lift:
        self.asked.append(("lift", client_id, by, reason))
        if reason == "nothing":
            raise NothingToLift(f"no daily loss limit of {client_id} is latched: nothing was changed")
        day, loss = date(2026, 11, 20), Decimal(-6000)
        return Lift(client_id, START, by, reason, day, loss, loss, loss, ("",))

    def adopt(self, request: AdoptionRequest) -> Adoption:
        assert self.commands is not None
        self.asked.append(("adopt", request))
        return self.commands.adopt(request)

    def resolve(
        self, command_id: str, *, by: str, executed: ResolvedFill | None, failed_reason: str | None
    ) -> None:
        assert self.commands is not None
        self.commands.resolve(command_id, by=by, executed=executed, failed_reason=failed_reason)

    def cancel(self, command_id: str, *, by: str, reason: str) -> None:
        assert self.commands is not None
        self.commands.cancel(command_id, by=by, reason=reason)

    def cancel_protection(self, protection_id: str, *, by: str, reason: str) -> None:
        assert self.commands is not None
        self.commands.cancel_protection(protection_id, by=by, reason=reason)

    def tighten_protection(
        self,
        protection_id: str,
        *,
        stop: Decimal | None,
        target: Decimal | None,
        by: str,
        is_confirmed: bool = False,
    ) -> None:
        assert self.commands is not None
        self.commands.tighten_protection(
            protection_id, stop=stop, target=target, by=by, is_confirmed=is_confirmed
        )

    def risk(self, client_id: str) -> dict[str, Any]:
        assert self.reports is not None
        return self.reports.risk(client_id)

    def pnl(self, client_id: str) -> dict[str, Any]:
        assert self.reports is not None
        return self.reports.pnl(client_id)

    def flatten(self, client_id: str, strategy_name: str | None, symbol: str | None, by: str) -> list[Order]:
        assert self.commands is not None
        parts = self.commands.parts_to_flatten(client_id, strategy_name=strategy_name, symbol=symbol)
        return self.commands.flatten(parts, by=by)

    def set_state(
        self, client_id: str, strategy_name: str | None, state: AccountState, by: str, reason: str
    ) -> None:
        assert self.commands is not None
        self.commands.set_state(client_id, strategy_name, state, by=by, reason=reason)

    def planned_exits(self, client_id: str, symbol: str | None) -> list[PlannedExit]:
        assert self.commands is not None
        parts = self.commands.parts_to_flatten(client_id, symbol=symbol)
        return [
            PlannedExit(p.client_id, p.exchange, p.symbol, p.product, p.strategy_name, str(p.quantity))
            for p in parts
        ]

    def exit_planned(self, planned: PlannedExit, *, id_: str, by: str) -> Order:
        assert self.commands is not None
        self.asked.append(("exit", planned, id_, by))
        side = Side.BUY if planned.quantity.startswith("-") else Side.SELL
        place = planned.client_id, planned.exchange, planned.symbol, planned.product
        return self.commands.submit_exit(
            *place, by=by, strategy_name=planned.strategy_name, id_=id_, side=side
        )

    def set_mark(self, client_id: str, exchange: str, symbol: str, price: Decimal) -> None:
        if client_id == "real":
            raise NotFound("client 'real' has no simulated market")
        self.asked.append(("mark", client_id, exchange, symbol, price))


class House:
    """orders.db with a console and the health routes over it."""

    def __init__(
        self,
        folder: Path,
        *,
        told: bool = True,
        zone: tzinfo = UTC,
        modes: dict[str, TradingMode | None] | None = None,
    ) -> None:
        self.path = folder / "orders.db"
        migrated(self.path)
        self.clock = ManualClock()
        self.told = told
        self.store = open_database(self.path).store(clock=self.clock, render=self._render)
        self.views = OrderQueries(Readers(self.path))
        self.policies = {"default": ClientPolicy("default", LimitBook(), live_allowed=True)}
        self.control = Control(
            CommandService(
                self.store,
                self.policies,
                clock=self.clock,
                ids=SeededIds(),
                dedup_window=timedelta(seconds=60),
                alert_life=timedelta(minutes=5),
            ),
            RiskReports(self.store, self.policies, clock=self.clock),
        )
        self.made = 0
        self.records = open_database(self.path).operator_records()
        self.alert_door = AlertDoor(
            Previewer(
                DIALECTS,
                NO_DEFAULTS,
                client_id="default",
                mask=str,
                cancels=partial(would_cancel, self.store),
            ),
            lambda: self.strangers,
            replays=self._replayer(),
        )
        self.strangers = RefusedDeliveries(0, START)
        self.app = Flask(__name__, static_folder=None)
        self.modes = modes or {"default": TradingMode.SIMULATED}
        self.loss_limited: list[str] = []
        self.app.register_blueprint(
            create_console(
                self.views, self.control, self.records, self.alert_door, token=TOKEN, clock=self.clock,
                modes=self.modes, zone=zone,
                loss_limited=self.loss_limited, unwritable=lambda: self.store.unwritable,
            )
        )  # fmt: skip
        self.app.register_blueprint(
            create_health(
                self.views, clock=self.clock, clients=tuple(self.modes), beat_max_age_seconds=10,
                positions_max_age_seconds=60, loss_limited=self.loss_limited,
                unwritable=lambda: self.store.unwritable,
            )
        )  # fmt: skip

    def _replayer(self) -> Replayer:
        window, life = timedelta(seconds=60), timedelta(minutes=5)
        register = RegisterAlert(self.policies, ids=SeededIds(), dedup_window=window, alert_life=life)
        return Replayer(
            open_database(self.path).kept_alert,
            ReplayAlert(self.store, self.policies, register, lambda alert, _: alert),
            dialects=DIALECTS,
            defaults=NO_DEFAULTS,
            clock=self.clock,
        )

    def _render(self, notice: Notice) -> str:
        return render(notice) if self.told else "something happened"

    def anonymous(self) -> FlaskClient:
        return self.app.test_client()

    def plain(self) -> FlaskClient:
        """A client without a cookie jar, whose cookies are those of its headers."""
        return self.app.test_client(use_cookies=False)

    def browser(self) -> FlaskClient:
        """A client that has logged in."""
        client = self.app.test_client()
        assert client.post("/login", data={"token": TOKEN}).status_code == 303
        return client

    def get(self, path: str, **query: object) -> Any:
        """What the API answers to the bearer of the token."""
        return self.anonymous().get(path, headers=BEARER, query_string=query or None)

    # seeding ------------------------------------------------------------------------------------------------

    def alert(
        self,
        *,
        legs: int = 1,
        symbols: Sequence[str] = (),
        raw_body: str = "{}",
        signal_id: str | None = None,
        **changes: Any,
    ) -> list[Order]:
        """An alert with its registered legs."""
        self.made += 1
        alert_id, at = f"alert{self.made:04d}", self.clock.now()
        orders = [
            self._leg(alert_id, index, at, changes | ({"symbol": symbols[index]} if symbols else {}))
            for index in range(len(symbols) or legs)
        ]
        alert = Alert(
            alert_id, orders[0].client_id, Delivery(at, "10.0.0.9", raw_body, "native"), Outcome.ACCEPTED,
            idempotency_key=alert_id, signal_id=signal_id, strategy_name=orders[0].strategy_name,
        )  # fmt: skip

        def work(tx):
            tx.add_alert(alert)
            for order in orders:
                tx.add_intent(order, f"{alert_id}|{order.leg_index}", signal_id)
            return [tx.apply(register(order, at=at, actor="webhook")) for order in orders]

        return self.store.write(work)

    @staticmethod
    def _leg(alert_id: str, index: int, at: datetime, changes: dict[str, Any]) -> Order:
        ids = command_id(alert_id, index), client_order_id(f"{alert_id}|{index}")
        return an_entry_order(alert_id, *ids, at, **({"leg_index": index} | changes))

    def apply(self, change) -> Order:
        return self.store.write(lambda tx: tx.apply(change))

    def block(
        self, order: Order, reason: Reason = Reason.DAILY_LOSS_HIT, message: str = "lost 5,200 of 5,000"
    ) -> Order:
        return self.apply(blocked(order, reason, message, at=self.clock.now(), actor="webhook"))

    def claim(self, order: Order) -> Order:
        return self.apply(claimed(order, at=self.clock.now(), claimant="watcher-1"))

    def refuse(self, order: Order) -> Order:
        return self.apply(
            refused(self.claim(order), "RMS", "RMS: margin exceeds", at=self.clock.now(), actor="watcher-1")
        )

    def place(self, order: Order) -> Order:
        self.made += 1
        return self.apply(
            placed(
                self.claim(order), OrderResult(f"B{self.made:05d}"), at=self.clock.now(), actor="watcher-1"
            )
        )

    def fill(self, order: Order) -> Order:
        return self.apply(
            advance(
                self.place(order), Phase.FILLED, at=self.clock.now(), actor="watcher-1",
                filled_quantity=order.quantity, average_price=Decimal("112.45"),
            )
        )  # fmt: skip

    def lose(self, order: Order) -> Order:
        """Its outcome becomes unknown."""
        return self.apply(unknown(self.claim(order), "timed out", at=self.clock.now(), actor="watcher-1"))

    def reject_alert(self, *, tell: bool = True, raw_body: str = "nonsense") -> str:
        """An alert that could not be traded on."""
        self.made += 1
        alert_id, at = f"alert{self.made:04d}", self.clock.now()
        alert = Alert(
            alert_id, "default", Delivery(at, "10.0.0.9", raw_body, "native"), Outcome.REJECTED,
            decision_type=DecisionType.FAILED, reason_code="INVALID_JSON", reason_message="not JSON",
        )  # fmt: skip

        def work(tx):
            tx.add_alert(alert)
            if tell:
                tx.notify(Notice(NoticeKind.ALERT_REJECTED, "default", alert_id=alert_id, detail="not JSON"))

        self.store.write(work)
        return alert_id

    def beat(self, watcher_id: str = "watcher-1", state: str = "OK", at: datetime | None = None) -> None:
        at = at or self.clock.now()
        self.store.save_heartbeats(
            [Heartbeat(watcher_id, loop, client, at, state) for loop, client in WATCHER_LOOPS]
        )

    def read_positions(self, client_id: str = "default", *unreadable: UnreadableRow) -> None:
        position = Position(
            "NFO", "NIFTY26NOV24500CE", "MIS", Decimal(50), Decimal("112.45"), Decimal(110), Decimal(-1250),
            Decimal("-122.5"),
        )  # fmt: skip
        self.store.save_positions(
            client_id,
            PositionsSnapshot(self.clock.now(), (position,), unreadable),
            START.date(),
            compared_at=self.clock.now(),
        )

    def halt(self, strategy_name: str | None = None, reason: str = "news") -> None:
        halt = Halt("default", strategy_name, self.clock.now(), "ann", reason)
        self.store.write(lambda tx: tx.set_halt(halt))
