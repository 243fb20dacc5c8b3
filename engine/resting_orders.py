"""Follow market orders that rest at the broker: price exits anew until they are filled, and tell people.

A broker may make a limit order of a market order. What is not filled up to that limit rests, and the market may move
away from it. Here only cancels are requested, each with the price that it was decided by. The part that takes over is
registered where the book shows the cancel: see `engine.exit_follower`.
"""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial

from domain.cancellation import cancel_asked
from domain.enums import OrderType
from domain.errors import ReadFailed
from domain.exit_chase import (
    GiveUp,
    Reprice,
    chase_of,
    is_due,
    is_followed,
    is_late,
    next_step,
    rests,
)
from domain.marks import Mark, fault_of
from domain.money import decimal_text
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import advance
from domain.ports import Clock, Store, Transaction
from domain.times import has_elapsed
from engine.client_context import ClientContext, EngineTimings
from engine.exit_follower import held_words

log = logging.getLogger(__name__)

Place = tuple[str, str]
"""Exchange and symbol."""


class RestingOrders:
    """Looks after the client's resting market orders, after each read of the order book."""

    def __init__(self, store: Store, *, clock: Clock, claimant: str, rules: EngineTimings) -> None:
        self._store = store
        self._clock = clock
        self._claimant = claimant
        self._rules = rules

    def follow(self, context: ClientContext, orders: Sequence[Order]) -> dict[str, Order]:
        """Request the cancels of exits that are to be priced anew, and tell what lasts; return the rows that moved.

        Raises:
            StoreUnavailable: something could not be written. What was not is done after the next read.
        """
        moved = dict[str, Order]()
        exits, now, rules = [], self._clock.now(), self._rules.chase
        for order in orders:
            if not rests(order):
                continue
            if is_followed(order):
                exits.append(order)
            elif order.order_type is OrderType.MARKET and order.test_mode is None:
                self._tell_entry(order, now)
        watched = [o for o in exits if is_due(o, now, rules) or is_late(o, now, rules)]
        marks = self._marks(context, {(o.exchange, o.symbol) for o in watched})
        for order in watched:
            mark = marks.get((order.exchange, order.symbol))
            price = mark.price if mark is not None and self._is_usable(mark, order, now) else None
            step = next_step(order, price, now, rules)
            if isinstance(step, Reprice):
                after = self._store.write(partial(self._reprice, order=order, step=step))
                if after is not None:
                    moved[order.command_id] = order = after
            elif isinstance(step, GiveUp):
                self._give_up(order, step, price)
            if is_late(order, now, rules):
                self._tell_late(order, price)
        return moved

    # exits --------------------------------------------------------------------------------------------------

    def _reprice(self, tx: Transaction, order: Order, step: Reprice) -> Order | None:
        """Request the cancel; None: the order has moved, and the next read shows what is left of it."""
        current = tx.get(order.command_id)
        if current is None or current.event_hash != order.event_hash:
            return None
        change = cancel_asked(
            current, at=self._clock.now(), actor=self._claimant, reason=step.why, chase=step.chase
        )
        if change is None:
            return None
        log.info("order %s: %s", order.command_id, step.why)
        return tx.apply(change)

    def _give_up(self, order: Order, step: GiveUp, price: Decimal | None) -> None:
        """Tell, once, that an exit is left resting as it is: a person has to decide."""
        text = (
            f"the exit is left as it is: {_units(order)} rest at the broker{_as_sent(order)}, for {step.why}. "
            f"Last price: {_said(price)}. "
        )
        what = "Cancel it on its page and exit by hand at a price of your own, or wait for the price to come back"
        self._tell_once(NoticeSubject.EXIT_LEFT_RESTING, order, text, what)

    def _tell_late(self, order: Order, price: Decimal | None) -> None:
        rules, chase = self._rules.chase, chase_of(order)
        text = f"the exit does not end: {_units(order)} rest at the broker{_as_sent(order)}. "
        text += f"Last price: {_said(price)}. "
        what = "Nothing need be done yet; to exit by hand, cancel it on its page first"
        if price is None:
            what = (
                "Without a last price it is not priced anew: look at the market, cancel it on its page and exit by "
                "hand, or wait"
            )
        elif not rules.every:
            what = "It is not priced anew (EXIT_REPRICE_SECONDS is 0): wait, or cancel it and exit by hand"
        else:
            text += f"It has been priced anew {chase.number} times of {rules.most} at most. "
        self._tell_once(NoticeSubject.EXIT_DOES_NOT_END, order, text, what)

    def _tell_once(self, about: NoticeSubject, order: Order, text: str, what: str) -> None:
        leg = order.parent_command_id or order.command_id
        key = NoticeKey(about, (leg,))
        if self._store.is_told(order.client_id, key):
            return

        def work(tx: Transaction) -> None:
            current = tx.get(order.command_id) or order
            if not rests(current):
                return
            held = held_words(tx, current)
            detail = f"{text}{f'{held}. ' if held else ''}{what}"
            place = (current, current.alert_id, current.symbol)
            if tx.notify_once(key, Notice(NoticeKind.SYSTEM, current.client_id, *place, detail)):
                log.warning("order %s: %s", current.command_id, detail)

        self._store.write(work)

    # prices -------------------------------------------------------------------------------------------------

    def _is_usable(self, mark: Mark, order: Order, now: datetime) -> bool:
        """Return True for a price of this order's symbol that is young enough to decide by."""
        assert order.sent_at is not None
        since = order.sent_at  # what was read before says nothing about a market that has not filled it
        return fault_of(mark, order.exchange, order.symbol, since=since, now=now) is None

    def _marks(self, context: ClientContext, places: set[Place]) -> dict[Place, Mark]:
        """Return the youngest last price of each symbol that has one."""
        if not places:
            return {}
        marks = [*self._of_positions(context.client_id), *_read(context, sorted(places))]
        return {(m.exchange, m.symbol): m for m in sorted(marks, key=lambda m: m.at) if m.is_price}

    def _of_positions(self, client_id: str) -> Iterable[Mark]:
        snapshot = self._store.saved_positions(client_id)
        for p in () if snapshot is None else snapshot.positions:
            if p.last_price is not None and p.net_quantity:  # a row of nothing may show an old price
                assert snapshot is not None
                yield Mark(p.exchange, p.symbol, p.last_price, snapshot.read_started_at, "positions")

    # entries ------------------------------------------------------------------------------------------------

    def _tell_entry(self, order: Order, now: datetime) -> None:
        """Notify once of a market entry that is not filled soon."""
        if order.escalation >= 2 or order.sent_at is None:
            return
        if has_elapsed(order.sent_at, now, self._rules.unknown_tell):
            log.warning(
                "order %s: a market order rests at the broker since %s", order.command_id, order.sent_at
            )
            self._store.write(partial(self._louder, order=order))

    def _louder(self, tx: Transaction, order: Order) -> None:
        current = tx.get(order.command_id)
        if current is not None and current.phase is order.phase and current.escalation < 2:
            now = self._clock.now()
            tx.apply(advance(current, current.phase, at=now, actor=self._claimant, escalation=2))


def _read(context: ClientContext, places: Sequence[Place]) -> Sequence[Mark]:
    if context.marks is None:
        return ()
    try:
        return context.marks.last_marks(places)
    except ReadFailed as error:
        log.warning("client %s: last prices could not be read: %s", context.client_id, error)
    except Exception:  # a defect of the adapter: it says nothing about prices
        log.exception("client %s: the adapter failed to read last prices", context.client_id)
    return ()


def _units(order: Order) -> str:
    return f"{decimal_text(order.open_quantity)} of {decimal_text(order.quantity)}"


def _as_sent(order: Order) -> str:
    """How the broker's adapter sent it, where that was not as a market order."""
    return f" ({order.reason_message})" if order.reason_message else ""


def _said(price: Decimal | None) -> str:
    return "not known" if price is None else decimal_text(price)
