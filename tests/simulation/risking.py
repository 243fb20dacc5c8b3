"""What limits on money promise: who enters after a breach, what a flatten asks for and what it leaves, who is told."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from domain.enums import ExecutionType
from domain.limits import LimitAction, LimitBook, Limits, OwnLimits
from domain.money import ZERO
from domain.order import Order
from domain.risk_stops import RiskRule
from domain.states import Phase, Status
from tests.simulation.scheduler import Scheduler
from use_cases.forced_exit import MOST_ATTEMPTS

if TYPE_CHECKING:
    from tests.simulation.promises import Promises

LATCHES = (RiskRule.DAILY_LOSS, RiskRule.TRAILING_LOSS, RiskRule.DAILY_PROFIT)
_STOPS = (
    "SELECT client_id, strategy_name, rule, since, until, action, is_confirmed, lifted_at, flat_at FROM risk_state "
    "WHERE rule IN ('DAILY_LOSS', 'TRAILING_LOSS', 'DAILY_PROFIT')"
)
_PLACES = (
    "SELECT client_id, exchange, symbol FROM holdings WHERE entries > 0 UNION SELECT client_id, exchange, symbol FROM "
    "orders WHERE status = 'SENT_TO_BROKER' AND execution_type = 'ENTRY' AND test_mode IS NULL"
)
_HELD = (
    "SELECT DISTINCT strategy_name, exchange, symbol FROM holdings WHERE client_id = ? AND net_quantity <> '0' "
    "AND entries > 0 AND ? IN ('', strategy_name)"
)
_SHOWN = "SELECT client_id, exchange, symbol FROM positions WHERE net_quantity <> '0'"
_TOLD = "SELECT count(*) FROM telegram_messages WHERE client_id = ? AND kind IN ('LOSS_LIMIT_HIT', 'RISK_LIMIT_HIT')"


@dataclass(frozen=True)
class Money:
    """The limits of a world's clients, and when an operator lifts what was reached."""

    client: Limits
    strategy: Limits | None = None
    strategies: tuple[str, ...] = ()
    lifted_after: float | None = None

    def book(self, max_open_orders: int | None) -> LimitBook:
        """The limits of each client."""
        default = replace(self.client, max_open_orders=max_open_orders)
        if self.strategy is None:
            return LimitBook(default)
        own = replace(default, own=self.strategy.own, on_daily_loss=self.strategy.on_daily_loss)
        return LimitBook(default, dict.fromkeys(self.strategies, own))


def money_of(random: Random) -> Money:
    """Limits that a few dozen positions reach as prices move."""
    action = random.choice((LimitAction.BLOCK, LimitAction.FLATTEN, LimitAction.FLATTEN))
    trails = random.random() < 0.3
    client = Limits(
        max_daily_loss=random.choice((None, Decimal(300), Decimal(800), Decimal(2000))),
        on_daily_loss=action,
        trailing_loss=Decimal(600) if trails else None,
        trail_step=Decimal(200) if trails else None,
        max_daily_profit=random.choice((None, None, Decimal(1500))),
        max_open_positions=random.choice((None, 3, 6)),
    )
    strategy = None
    if random.random() < 0.5:
        own = OwnLimits(max_daily_loss=Decimal(random.choice((150, 400))))
        strategy = Limits(on_daily_loss=random.choice(tuple(LimitAction)), own=own)
    names = tuple(f"S{n}" for n in range(random.choice((2, 5))))
    lifted = random.uniform(5.0, 30.0) if random.random() < 0.3 else None
    return Money(client, strategy, names, lifted)


def _is_claim(before: Order, after: Order) -> bool:
    return before.phase is Phase.REGISTERED and after.phase is Phase.SUBMITTING


class _Row(NamedTuple):
    """A latch as it stands in the database."""

    since: str
    until: str
    action: str
    is_confirmed: int
    lifted_at: str | None
    flat_at: str | None


Key = tuple[str, str, str]
"""Client, strategy (empty: all of them), rule."""
Latches = dict[Key, _Row]


class Risks:
    """Looks at the latches after each commit, and at what is left in the end."""

    def __init__(
        self, connection: sqlite3.Connection, promises: "Promises", scheduler: Scheduler, money: Money | None
    ) -> None:
        self._connection = connection
        self._promises = promises
        self._scheduler = scheduler
        self._money = money
        self._latches: Latches = {}
        self._places: set[tuple[str, str, str]] = set()
        self._opened: set[tuple[str, str, str]] = (
            set()
        )  # those of them that a claim took a place of its own for
        self._breaches: dict[str, set[tuple[Key, str]]] = {}
        self._asked: dict[tuple[str, ...], list[str]] = {}  # by stop, strategy and symbol: exits
        self._events = 0

    def committed(self, moved: Sequence[tuple[Order | None, Order]]) -> None:
        """What was committed beside the latches that stood before it."""
        if self._money is None:
            return
        before, rows = self._latches, self._connection.execute(_STOPS).fetchall()
        self._latches = {tuple(row[:3]): _Row(*row[3:]) for row in rows}
        for was, order in moved:
            if was is not None and _is_claim(was, order):
                self._claimed(order, before)
        for key, row in before.items():
            self._stays(key, row)
        for key, row in self._latches.items():
            if row.is_confirmed and row.lifted_at is None:
                self._breaches.setdefault(key[0], set()).add((key, row.since))
        self._exits_asked()
        self._count_places(moved)

    def _claimed(self, order: Order, before: Latches) -> None:
        if order.execution_type is not ExecutionType.ENTRY:
            return
        for key, row in before.items():
            concerns = key[0] == order.client_id and key[1] in ("", order.strategy_name)
            if concerns and self._stands(row):
                self._promises.breaks(
                    "17 no entry after a breach", f"{order.command_id} of {order.strategy_name}: {key}"
                )

    def _stays(self, key: Key, row: _Row) -> None:
        now = self._latches.get(key)
        if self._stands(row) and (now is None or now.since != row.since):
            self._promises.breaks("17 a latch stays", f"{key} since {row.since} became {now}")

    def _stands(self, row: _Row) -> bool:
        in_force = self._scheduler.now() < datetime.fromisoformat(row.until)
        return bool(row.is_confirmed) and row.lifted_at is None and in_force

    def _exits_asked(self) -> None:
        """Of one stop and one position there is never a second exit while the first one has not ended."""
        asked = self._connection.execute(
            "SELECT event_id, client_id, strategy_name, rule, detail FROM risk_events "
            "WHERE event_id > ? AND kind = 'EXIT_ASKED' ORDER BY event_id",
            (self._events,),
        ).fetchall()
        for event_id, *key, command_id in asked:
            self._events = event_id
            order = self._promises.rows[command_id]
            if order.execution_type is not ExecutionType.EXIT:
                continue
            stop = self._latches.get(
                (key[0], key[1], key[2])
            )  # one that was lifted and reached again is another
            since = "" if stop is None else stop.since
            earlier = self._asked.setdefault((*key, since, order.strategy_name, order.symbol), [])
            for known in earlier:
                if self._promises.rows[known].status not in (Status.EXECUTED, Status.FAILED):
                    self._promises.breaks("17 one exit at a time", f"{command_id} beside {known}")
            earlier.append(command_id)

    def _count_places(self, moved: Sequence[tuple[Order | None, Order]]) -> None:
        """No entry takes a place of its own where as many are taken as may be.

        Adding to what a hand has takes none, and neither does what fills after all that was thought to be dead.
        """
        assert self._money is not None
        most = self._money.client.max_open_positions
        if most is None:
            return
        shown = self._connection.execute(_SHOWN).fetchall()  # what a hand has
        before = self._places | set(map(tuple, shown))
        self._places = set(map(tuple, self._connection.execute(_PLACES).fetchall()))
        self._opened &= self._places
        for was, order in moved:
            place = (order.client_id, order.exchange, order.symbol)
            is_new = was is not None and _is_claim(was, order) and place not in before
            if not is_new or order.execution_type is not ExecutionType.ENTRY or order.test_mode is not None:
                continue
            self._opened.add(place)
            count = sum(each[0] == order.client_id for each in self._opened)
            if count > most:
                self._promises.breaks(
                    "17 places are counted", f"{order.command_id} opens place {count} of {most}"
                )

    # the end ------------------------------------------------------------------------------------------------

    def has_to_come(self, client_id: str) -> bool:
        """Whether a flatten of the client goes on."""
        return any(
            key[0] == client_id
            and row.action == "flatten"
            and self._stands(row)
            and row.flat_at is None
            and not self._is_given_up(key)
            for key, row in self._latches.items()
        )

    def _is_given_up(self, key: Key) -> bool:
        """The last attempt was asked for of all that is held; another limit of the client has attempts of its own."""
        client_id, strategy, rule = key
        asked = "SELECT 1 FROM order_intents WHERE idempotency_key LIKE ? LIMIT 1"
        return all(
            self._connection.execute(
                asked, ("|".join((client_id, "risk", strategy, rule, "%", *place, "%", str(MOST_ATTEMPTS))),)
            ).fetchone()
            for place in self._connection.execute(_HELD, (client_id, strategy))
        )

    def check_end(self) -> None:
        """One message for each breach, and what a flatten was to close is closed, or it was told that it is not."""
        if self._money is None:
            return
        for client_id in self._promises.accounts:
            breaches = len(self._breaches.get(client_id, ()))
            (told,) = self._connection.execute(_TOLD, (client_id,)).fetchone()
            if told != breaches:
                self._promises.breaks("17 told once", f"{client_id}: {breaches} breaches, {told} messages")
        for key, row in self._latches.items():
            self._promises.told["limits that were reached"] += 1
            if row.action == "flatten" and self._stands(row):
                self._flat_or_told(key)

    def _flat_or_told(self, key: Key) -> None:
        client_id, strategy, _ = key
        held = self._connection.execute(
            "SELECT strategy_name, symbol, net_quantity FROM holdings WHERE client_id = ? AND entries > 0 "
            "AND ? IN ('', strategy_name)",
            (client_id, strategy),
        ).fetchall()
        for name, symbol, net in held:
            if Decimal(net) != ZERO and not self._is_told(client_id, symbol):
                self._promises.breaks("17 flat or told", f"{name} holds {net} {symbol} after {key}")

    def _is_told(self, client_id: str, symbol: str) -> bool:
        """A message names what is left there and why: attempts that are over, or an exit that has not ended."""
        account = self._promises.accounts[client_id]
        if symbol in account.odd_symbols or account.moved_by_hand(symbol, -1):
            return True
        left = "SELECT 1 FROM telegram_messages WHERE client_id = ? AND symbol = ? AND message LIKE '%still holds%'"
        return self._connection.execute(left, (client_id, symbol)).fetchone() is not None
