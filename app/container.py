"""Build the services of a process: store, brokers, clock and sender, passed to the services that need them."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from html import escape

from app.clock_steps import ClockSteps, beside
from app.instruments import brokers_with_lists, largest_of, prepare_of, priced_places
from app.outside_monitor import OutsideMonitor
from app.system import RandomIds, SystemClock
from broker.description import BrokerSetup
from broker.registry import BROKERS
from command_service import CommandService, ResolvedFill
from config.settings import ClientSettings, Settings
from console.health import HealthExpectations, all_checks
from conversation.acts import Acts
from conversation.answers import Answers
from conversation.conversation import Commands, Conversation
from conversation.listener import Conflicts, Listener
from conversation.ports import Chat, HealthCheck, Surroundings
from conversation.proposals import Proposals
from domain.account_state import AccountState
from domain.actors import Actor, ActorKind
from domain.adoption import Adoption, AdoptionRequest
from domain.daily_loss import Lift
from domain.enums import Side
from domain.errors import NotFound, PositionsNeverRead
from domain.exit_chase import ChaseRules
from domain.limits import ClientPolicy
from domain.marks import Mark
from domain.money import decimal_text
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.planned_exit import PlannedExit
from domain.ports import ClientBroker, ProcessStore, ReadModel, SendFailed, Transaction
from domain.ports.instruments import InstrumentStore
from domain.reason_codes import sentence_of
from domain.risk_view import View
from engine.client_context import ClientContext, EngineTimings
from engine.loss_latch import lift
from engine.order_watcher import OrderWatcherEngine
from engine.risk_reports import RiskReports
from engine.stale_orders import StaleOrderNotifier
from engine.unconfigured_clients import UnconfiguredClients
from notifications.bot_api import TelegramBot
from notifications.facts import facts_of
from notifications.heartbeat import HeartbeatPing
from notifications.links import linked
from notifications.messages import render
from notifications.order_log import journaled
from notifications.outbox import OutboxDrainer
from notifications.telegram import TelegramSender
from persistence.database import Database, open_database
from persistence.instruments import open_instruments
from use_cases.register_alert import RegisterAlert
from use_cases.replay_alert import ReplayAlert

log = logging.getLogger(__name__)

_OLDEST_BEAT = 5.0  # seconds; a watcher writes a heartbeat every two


@dataclass(frozen=True)
class Services:
    """All services of one process, built from the settings. Each is opened when it is first used."""

    settings: Settings
    clock: SystemClock
    instance: str = ""  # the start that this process belongs to; /healthz answers it

    @cached_property
    def policies(self) -> dict[str, ClientPolicy]:
        """Each client's policy, which its orders have to obey."""
        s = self.settings
        zone, starts = s.trading_timezone, s.trading_day_starts
        return {c.client_id: replace(c.policy, zone=zone, day_starts=starts) for c in s.clients}

    @cached_property
    def database(self) -> Database:
        """orders.db."""
        return open_database(self.settings.orders_db)

    @cached_property
    def store(self) -> ProcessStore:
        """The store on orders.db, with a log line for what each durable change did to an order."""
        told = linked(render, self.settings.console_url)
        return self.database.store(clock=self.clock, render=told, facts_of=facts_of, journal=journaled)

    @cached_property
    def views(self) -> ReadModel:
        """The queries for pages and diagnostics."""
        return self.database.queries()

    @cached_property
    def masters(self) -> InstrumentStore:
        """The store of instruments."""
        return open_instruments(self.settings.orders_db)

    @cached_property
    def commands(self) -> CommandService:
        """The only entry point for orders and for operators' requests."""
        return CommandService(
            self.store,
            self.policies,
            clock=self.clock,
            ids=RandomIds(),
            dedup_window=timedelta(seconds=self.settings.dedup_window_seconds),
            alert_life=timedelta(seconds=self.settings.max_alert_age_seconds),
            prepare=prepare_of(self.settings, self.store, self.policies, self.masters),
        )

    @cached_property
    def replay_alert(self) -> ReplayAlert:
        """What registers kept alerts anew, by the same rules as any alert."""
        s = self.settings
        register = RegisterAlert(
            self.policies,
            ids=RandomIds(),
            dedup_window=timedelta(seconds=s.dedup_window_seconds),
            alert_life=timedelta(seconds=s.max_alert_age_seconds),
        )
        prepare = prepare_of(s, self.store, self.policies, self.masters)
        return ReplayAlert(self.store, self.policies, register, prepare)

    @cached_property
    def risk_reports(self) -> RiskReports:
        """What operators ask about limits, and about profit and loss."""
        return RiskReports(self.store, self.policies, clock=self.clock)

    @cached_property
    def reviewer(self) -> StaleOrderNotifier:
        """The notifier of stale orders; it asks whether an order should still be at its broker."""
        return StaleOrderNotifier(self.store, clock=self.clock)

    @cached_property
    def unconfigured(self) -> UnconfiguredClients:
        """The notifier of clients that have something open and are not configured."""
        s = self.settings
        accounts = {c.client_id: c.broker_account for c in s.clients}
        return UnconfiguredClients(self.store, accounts, clock=self.clock, default=s.client_id)

    @cached_property
    def steadiness(self) -> ClockSteps:
        """Watches whether the machine's clock is set."""
        return ClockSteps(self.clock, beside(self.settings.orders_db))

    @cached_property
    def brokers(self) -> dict[str, ClientBroker]:
        """Each client's broker, which answers for orders in test mode itself."""
        return {c.client_id: self._broker(c) for c in self.settings.clients}

    def _broker(self, client: ClientSettings) -> ClientBroker:
        s, client_id = self.settings, client.client_id

        def exit_waits() -> bool:
            return self.store.has_work(client_id, self.clock.now(), exits_only=True)

        setup = BrokerSetup(
            client_id=client_id,
            account=client.account,
            shared=s.shared[client.broker],
            clock=self.clock,
            orders_db=s.orders_db,
            zone=s.trading_timezone,
            deadline_seconds=s.broker_deadline_seconds,
            acceptance_horizon_seconds=s.acceptance_horizon_seconds,
            market_protection_percent=s.market_protection_percent,
            exit_waits=exit_waits,
            steadiness=self.steadiness,
            master=lambda: self.masters.current(client.broker),
        )
        return BROKERS[client.broker].connect(setup)

    def engine(self, claimant: str) -> OrderWatcherEngine:
        """Create the order watcher's engine; it claims orders under the given name."""
        s = self.settings
        rules = EngineTimings(
            broker_deadline=timedelta(seconds=s.broker_deadline_seconds),
            exit_hold=timedelta(seconds=s.exit_hold_seconds),
            exit_dispute=timedelta(seconds=s.exit_dispute_seconds),
            positions_refresh=timedelta(seconds=s.positions_refresh_seconds),
            chase=ChaseRules(
                every=timedelta(seconds=s.exit_reprice_seconds),
                most=s.exit_reprice_most,
                worst_percent=s.exit_worst_percent,
            ),
            zone=s.trading_timezone,
            day_starts=s.trading_day_starts,
        )
        return OrderWatcherEngine(
            self.store,
            {id_: self._context(id_, broker) for id_, broker in self.brokers.items()},
            clock=self.clock,
            claimant=claimant,
            rules=rules,
        )

    def _context(self, client_id: str, broker: ClientBroker) -> ClientContext:
        names = {client.client_id: client.broker for client in self.settings.clients}
        known = ClientContext(
            client_id,
            broker.port,
            self.policies[client_id],
            broker.batches,
            broker.marks,
            broker.equity,
            broker.quotes,
            priced_places(self.settings, client_id, self.masters, self.clock),
        )
        if names[client_id] not in brokers_with_lists(self.settings):
            return known
        return replace(known, largest=largest_of(self.masters, names[client_id]))

    def drainer(self, holder: str) -> OutboxDrainer | None:
        """Create the drainer of the outbox; None when no channel is configured."""
        chats = {c.client_id: c.telegram_chat_id for c in self.settings.clients if c.telegram_chat_id}
        token = self.settings.telegram_bot_token
        if token is None or not chats:
            return None
        return OutboxDrainer(
            self.database.outbox(),
            TelegramSender(token.get_secret_value(), self.settings.telegram_api_url),
            chats,
            self.clock,
            holder,
            muted_until=self.database.conversations().muted_until,
        )

    @property
    def beat_max_age_seconds(self) -> float:
        """The age from which a loop's last heartbeat is too old."""
        return max(_OLDEST_BEAT, self.settings.watcher_stall_seconds)

    @property
    def positions_max_age_seconds(self) -> float:
        """The age from which positions are too old."""
        return self.settings.default_client.limits.default.positions_max_age_seconds

    @property
    def loss_limited(self) -> list[str]:
        """The clients that enter nothing while the day's loss is not known."""
        return [c.client_id for c in self.settings.clients if c.limits.always_limits_loss]

    def checks(self) -> dict[str, HealthCheck]:
        """Run the checks that readiness runs."""
        expected = HealthExpectations(
            tuple(self.policies),
            self.beat_max_age_seconds,
            self.positions_max_age_seconds,
            self.loss_limited,
            lambda: self.store.unwritable,
        )
        found = all_checks(self.views, expected, self.clock.now(), self.store.replaced)
        return {name: HealthCheck(check.ok, check.sentence) for name, check in found.items()}

    def outside_monitor(self, web_answers: Callable[[], bool] | None = None) -> OutsideMonitor | None:
        """Create what tells the outside monitor that all is well; None when there is none.

        Args:
            web_answers: says that the web server that belongs to this process answers; None where none does.
        """
        url = self.settings.heartbeat_url
        if url is None:
            return None
        key = NoticeKey(NoticeSubject.OUTSIDE_MONITOR)

        def trouble() -> str:
            failed = [f"{name}: {check.sentence}" for name, check in self.checks().items() if not check.ok]
            if not failed and web_answers is not None and not web_answers():
                failed = ["the web server does not answer: no alert is taken"]
            return "; ".join(failed)

        def tell(text: str) -> None:
            notice = Notice(NoticeKind.SYSTEM, self.settings.client_id, detail=text)
            self.store.write(lambda tx: tx.notify_once(key, notice))

        def tell_better(text: str) -> None:
            notice = Notice(NoticeKind.SYSTEM, self.settings.client_id, detail=text)

            def work(tx: Transaction) -> None:
                if tx.clear_notice(self.settings.client_id, key):
                    tx.notify(notice)

            self.store.write(work)

        ping = HeartbeatPing(url.get_secret_value())
        return OutsideMonitor(trouble, ping.send, tell=tell, tell_better=tell_better)

    def listener(self, holder: str) -> Listener | None:
        """Create what hears operators in their chats; None when no channel is configured, or nobody is to be heard."""
        s = self.settings
        clients = [c for c in s.clients if c.telegram_chat_id]
        if s.telegram_bot_token is None or not clients or not s.telegram_commands:
            return None
        channel = TelegramBot(s.telegram_bot_token.get_secret_value(), s.telegram_api_url)
        store, actions = self.database.conversations(), OperatorActions(self)
        around = Surroundings(s.trading_timezone, {c.client_id: _mode_of(c) for c in s.clients}, self.checks)
        commands = Commands(
            Answers(self.views, self.database, around),
            Proposals(self.views, self.database, actions),
            Acts(actions, store, self.clock),
        )
        return Listener(
            channel,
            Conversation(channel, store, chats_of(clients), commands, self.clock),
            store,
            leases=self.database.outbox(),
            conflicts=Conflicts(self.store, clients[0].client_id, channel.bot_id),
            clock=self.clock,
            holder=holder,
        )

    def tell_directly(self, text: str) -> None:
        """Send a text to every chat without the outbox, for when the database cannot be written."""
        s = self.settings
        if s.telegram_bot_token is None:
            return
        sender = TelegramSender(s.telegram_bot_token.get_secret_value(), s.telegram_api_url)
        for chat in dict.fromkeys(c.telegram_chat_id for c in s.clients if c.telegram_chat_id):
            try:
                sender.send(chat, escape(f"🛑 {text}"))
            except SendFailed as error:
                log.error("could not tell %s: %s", chat, error)


def chats_of(clients: Iterable[ClientSettings]) -> dict[str, Chat]:
    """The configured chats: the clients that each sees, and who may act on them from there."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for client in clients:
        if client.telegram_chat_id is not None:
            found.setdefault(client.telegram_chat_id, {})[client.client_id] = client.telegram_operators
    return {chat_id: Chat(chat_id, operators) for chat_id, operators in found.items()}


def _mode_of(client: ClientSettings) -> str:
    if not client.is_real:
        return "simulated: no real money"
    return f"LIVE at {client.broker}" if client.live_trading else "live trading off: nothing is sent"


def build_services(settings: Settings) -> Services:
    """Build the services of one process; orders.db is created and migrated first.

    Raises:
        DatabaseTooNew: a newer program has migrated the database.
    """
    services = Services(settings, SystemClock())
    services.database.migrate()
    return services


class OperatorActions:
    """The operator's actions that the console can carry out."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def halt(self, client_id: str, strategy_name: str | None, by: str, reason: str) -> None:
        """Stop new entries."""
        self._services.commands.halt(client_id, strategy_name, by=by, reason=reason)

    def resume(self, client_id: str, strategy_name: str | None, by: str) -> bool:
        """Lift a halt; False when there was none."""
        return self._services.commands.resume(client_id, strategy_name, by=by)

    def lift(self, client_id: str, by: str, reason: str) -> Lift:
        """Allow entries again after the daily loss limit was hit. Raises as `engine.loss_latch.lift` does."""
        services = self._services
        return lift(
            services.store, services.policies, client_id, at=services.clock.now(), by=by, reason=reason
        )

    def adopt(self, request: AdoptionRequest) -> Adoption:
        """Make units that no strategy holds the holding of one strategy. Raises as `CommandService.adopt` does."""
        return self._services.commands.adopt(request)

    def resolve(
        self, command_id: str, *, by: str, executed: ResolvedFill | None, failed_reason: str | None
    ) -> None:
        """Resolve an order of unknown outcome. Raises as `CommandService.resolve` does."""
        self._services.commands.resolve(command_id, by=by, executed=executed, failed_reason=failed_reason)

    def cancel(self, command_id: str, *, by: str, reason: str) -> None:
        """Cancel an order. Raises as `CommandService.cancel` does."""
        self._services.commands.cancel(command_id, by=by, reason=reason)

    def cancel_protection(self, protection_id: str, *, by: str, reason: str) -> None:
        """End a protection. Raises as `CommandService.cancel_protection` does."""
        self._services.commands.cancel_protection(protection_id, by=by, reason=reason)

    def tighten_protection(
        self,
        protection_id: str,
        *,
        stop: Decimal | None,
        target: Decimal | None,
        by: str,
        is_confirmed: bool = False,
    ) -> None:
        """Set a protection tighter. Raises as `CommandService.tighten_protection` does."""
        self._services.commands.tighten_protection(
            protection_id, stop=stop, target=target, by=by, is_confirmed=is_confirmed
        )

    def risk(self, client_id: str) -> View:
        """Return the client's limits and stops. Raises as `RiskReports.risk` does."""
        return self._services.risk_reports.risk(client_id)

    def pnl(self, client_id: str) -> View:
        """Return the client's profit and loss of the day. Raises as `RiskReports.risk` does."""
        return self._services.risk_reports.pnl(client_id)

    def flatten(self, client_id: str, strategy_name: str | None, symbol: str | None, by: str) -> list[Order]:
        """Ask for exits of what is open. Raises as `CommandService.parts_to_flatten` does."""
        commands = self._services.commands
        parts = commands.parts_to_flatten(client_id, strategy_name=strategy_name, symbol=symbol)
        return commands.flatten(parts, by=str(Actor(ActorKind.CONSOLE, by)))

    def set_state(
        self, client_id: str, strategy_name: str | None, state: AccountState, by: str, reason: str
    ) -> None:
        """Set what may be entered. Raises as `CommandService.set_state` does."""
        self._services.commands.set_state(client_id, strategy_name, state, by=by, reason=reason)

    def planned_exits(self, client_id: str, symbol: str | None) -> list[PlannedExit]:
        """List the exits that close what the client has open. As `cli.py flatten` finds them.

        Raises:
            NotFound: the client's positions were never read.
        """
        try:
            parts = self._services.commands.parts_to_flatten(client_id, symbol=symbol)
        except PositionsNeverRead as error:
            raise NotFound(str(error)) from None
        return [
            PlannedExit(
                p.client_id, p.exchange, p.symbol, p.product, p.strategy_name, decimal_text(p.quantity)
            )
            for p in parts
        ]

    def exit_position(self, planned: PlannedExit, *, id_: str, by: str) -> str:
        """As `exit_planned`; returns the exit's state in words."""
        order = self.exit_planned(planned, id_=id_, by=by)
        if order.tag:
            return f"{order.status}, {sentence_of(order.tag)}"
        return f"asked for ({order.short_id}); its fill is told here"

    def exit_planned(self, planned: PlannedExit, *, id_: str, by: str) -> Order:
        """Ask for an exit; the same id again asks for nothing more. Raises as `CommandService.submit` does."""
        client_id, exchange, symbol, product, strategy_name, quantity = planned
        # A position that has turned since it was shown is another one, and stays.
        side = Side.BUY if quantity.startswith("-") else Side.SELL
        return self._services.commands.submit_exit(
            client_id, exchange, symbol, product, by=by, strategy_name=strategy_name, id_=id_, side=side
        )

    def set_mark(self, client_id: str, exchange: str, symbol: str, price: Decimal) -> None:
        """Set a simulated market's last price.

        Raises:
            NotFound: no such client, or its broker is no simulated one.
        """
        broker = self._services.brokers.get(client_id)
        marks = None if broker is None else broker.set_mark
        if marks is None:
            raise NotFound(f"client {client_id!r} has no simulated market")
        marks.set_mark(exchange, symbol, price)
        mark = Mark(exchange, symbol, price, self._services.clock.now(), "operator")
        # The commit wakes the watcher, which reads the price where it was set.
        self._services.store.write(lambda tx: tx.keep_marks(client_id, [mark]))
