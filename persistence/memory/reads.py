"""The reads that the store in memory and its transactions have in common."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter

from domain.account import AccountStanding, BrokerAccount
from domain.claim_priority import EXITS, LAST, claim_priority
from domain.daily_loss import DayLoss
from domain.enums import ExecutionType, Side
from domain.marks import Mark
from domain.money import decimal_text
from domain.notice_keys import NoticeKey, NoticeSubject, joined, of_order, parted
from domain.order import Order
from domain.order_matching import SeenOrders
from domain.protection import Protection
from domain.risk_facts import Holding
from domain.stale_orders import StaleOrder
from domain.states import Phase, Status
from domain.unconfigured_clients import UnconfiguredRows
from persistence.memory.groups import GroupReads
from persistence.memory.risk import RiskReads
from persistence.memory.sizing import SizingReads
from persistence.memory.tables import AccountRow, Tables

OPEN = (Status.CREATED, Status.SENT_TO_BROKER)
# No order is postponed for longer. A `not_before` beyond that was written before the clock was set back: ignore it.
_LONGEST_WAIT = timedelta(seconds=10)
_BY_AGE = attrgetter("created_at")


class Reads(RiskReads, SizingReads, GroupReads):
    """Reads on one state of the tables."""

    _tables: Tables

    # orders -------------------------------------------------------------------------------------------------

    def orders_of_alert(self, alert_id: str) -> list[Order]:
        legs = [
            o for o in self._tables.orders.values() if o.alert_id == alert_id and o.parent_command_id is None
        ]
        return sorted(legs, key=lambda order: order.leg_index)

    def open_entries(self, client_id: str, strategy_name: str) -> list[Order]:
        found = [
            o
            for o in self._tables.orders_of(client_id)
            if o.strategy_name == strategy_name
            and o.status in OPEN
            and o.execution_type is ExecutionType.ENTRY
        ]
        return sorted(found, key=attrgetter("created_at", "command_id"))

    def parts(self, command_id: str) -> list[Order]:
        return [o for o in self._tables.orders.values() if o.parent_command_id == command_id]

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None:
        found = [o for o in self._tables.orders_of(client_id) if o.broker_order_id == broker_order_id]
        return max(found, key=_BY_AGE, default=None)

    def claimable(self, client_id: str, now: datetime, *, limit: int, exits_only: bool) -> list[Order]:
        found = [
            o
            for o in self._tables.orders_of(client_id)
            if o.status is Status.CREATED
            and claim_priority(o) <= (EXITS if exits_only else LAST)
            and (o.not_before is None or not now < o.not_before <= now + _LONGEST_WAIT)
        ]
        return sorted(found, key=lambda o: (claim_priority(o), o.created_at))[:limit]

    def has_work(self, client_id: str, now: datetime, *, exits_only: bool = False) -> bool:
        return bool(self.claimable(client_id, now, limit=1, exits_only=exits_only))

    def unplaced(self, client_id: str) -> list[Order]:
        found = [o for o in self._at_broker(client_id) if o.broker_order_id is None and o.test_mode is None]
        return sorted(found, key=_BY_AGE)

    def sightings(self, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
        wanted = set(broker_order_ids)
        claimed = {
            o.broker_order_id for o in self._tables.orders_of(client_id) if o.broker_order_id in wanted
        }
        seen = {
            number: order.first_seen_at
            for (client, number), order in self._tables.external.items()
            if client == client_id and number in wanted
        }
        return SeenOrders(frozenset(filter(None, claimed)), seen)

    def _at_broker(self, client_id: str) -> list[Order]:
        return [o for o in self._tables.orders_of(client_id) if o.status is Status.SENT_TO_BROKER]

    # notices ------------------------------------------------------------------------------------------------

    def untold_frozen(self, client_id: str, sent_before: datetime, *, limit: int) -> list[StaleOrder]:
        found = [
            StaleOrder(order, since)
            for order in self._at_broker(client_id)
            if (since := self._sent_since(order)) <= sent_before
            and not self.is_told(client_id, of_order(NoticeSubject.FROZEN, order.command_id))
        ]
        return list(islice(sorted(found, key=lambda s: (s.since, s.order.command_id)), limit))

    def _sent_since(self, order: Order) -> datetime:
        """When the order last entered SENT_TO_BROKER. A second send under the same id does not count."""
        return max(
            event.at
            for event in self._tables.events
            if event.command_id == order.command_id
            and event.to_status is Status.SENT_TO_BROKER
            and event.from_status is not Status.SENT_TO_BROKER
        )

    def is_told(self, client_id: str, key: NoticeKey) -> bool:
        return (client_id, key.about, joined(key.facts)) in self._tables.told

    def told_keys(self, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
        told = sorted(self._tables.told)
        return [
            NoticeKey(about, parted(facts)) for client, a, facts in told if (client, a) == (client_id, about)
        ]

    def told_clients(self, about: NoticeSubject) -> list[str]:
        return sorted({client for client, a, _ in self._tables.told if a == about})

    # accounts -----------------------------------------------------------------------------------------------

    def account(self, client_id: str) -> BrokerAccount | None:
        return self._tables.accounts.get(client_id, AccountRow()).account

    def account_standing(self, client_id: str, account: BrokerAccount) -> AccountStanding:
        mine = self.account(client_id)
        accounts = sorted(self._tables.accounts.items())
        others = [id_ for id_, row in accounts if row.account == account and id_ != client_id]
        taken_by = next((id_ for id_ in others if mine is None or self._has_open(id_)), None)
        return AccountStanding(mine, taken_by)

    def _has_open(self, client_id: str) -> bool:
        has_orders = any(order.status in OPEN for order in self._tables.orders_of(client_id))
        return has_orders or any(key[0] == client_id for key in self._tables.holdings)

    def watchers_of(self, client_id: str) -> list[str]:
        beats = {watcher for watcher, _, client in self._tables.heartbeats if client == client_id}
        claims = {
            o.claimed_by for o in self._at_broker(client_id) if o.phase is Phase.SUBMITTING and o.claimed_by
        }
        return sorted(beats | claims)

    def unconfigured_rows(
        self, configured: Collection[str], served_since: datetime
    ) -> list[UnconfiguredRows]:
        t = self._tables
        served = {beat.client_id for beat in t.heartbeats.values() if beat.at > served_since}
        having = {o.client_id for o in t.orders.values() if o.status in OPEN} | {key[0] for key in t.holdings}
        return [self._left(id_) for id_ in sorted(having.difference(configured)) if id_ not in served]

    def _left(self, client_id: str) -> UnconfiguredRows:
        statuses = [order.status for order in self._tables.orders_of(client_id)]
        held = sorted(self.holdings(client_id), key=lambda h: (h.strategy_name, h.symbol))
        return UnconfiguredRows(
            client_id,
            statuses.count(Status.CREATED),
            statuses.count(Status.SENT_TO_BROKER),
            tuple(
                f"{h.strategy_name} holds {decimal_text(h.net_quantity)} {h.exchange}:{h.symbol}"
                for h in held
            ),
            self.account(client_id),
        )

    # protections --------------------------------------------------------------------------------------------

    def open_protections(self, client_id: str) -> list[Protection]:
        found = [p for p in self._tables.protections.values() if p.client_id == client_id and p.is_watched]
        return sorted(found, key=lambda p: (p.created_at, p.protection_id))

    def protection(self, protection_id: str) -> Protection | None:
        return self._tables.protections.get(protection_id)

    def marks(self, client_id: str) -> list[Mark]:
        return [mark for key, mark in sorted(self._tables.marks.items()) if key[0] == client_id]

    # holdings and the day's loss ----------------------------------------------------------------------------

    def holdings(self, client_id: str) -> list[Holding]:
        return [
            Holding(client_id, strategy, exchange, symbol, product, held.net, held.entries)
            for (client, symbol, exchange, strategy, product), held in self._tables.holdings.items()
            if client == client_id
        ]

    def last_fill_at(
        self, client_id: str, symbol: str, side: Side | None = None, product: str | None = None
    ) -> datetime | None:
        of = [key for key in self._tables.last_fills if key[:2] == (client_id, symbol)]
        there = (key for key in of if side in (None, key[2]) and product in (None, key[3]))
        return max((self._tables.last_fills[key] for key in there), default=None)

    def day_loss(self, client_id: str) -> DayLoss | None:
        return self._tables.accounts.get(client_id, AccountRow()).day_loss
