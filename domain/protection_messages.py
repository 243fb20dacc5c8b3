"""What people are told of a protection: which notices a step needs. Pure."""

from domain.further_terms import further_of
from domain.marks import MarkFault
from domain.money import decimal_text
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.protection import EventKind, Protection, ProtectionEvent, Rule, Step
from domain.protection_exits import CANCELLED, Next
from domain.reason_codes import sentence_of

Told = tuple[NoticeKey | None, Notice]
"""A notice, and the key under which it is made once; without a key it is made each time."""

_FIRED = {
    Rule.STOP: (NoticeKind.STOP_FIRED, "stop"),
    Rule.TRAIL: (NoticeKind.STOP_FIRED, "trailing stop"),
    Rule.LOCK: (NoticeKind.STOP_FIRED, "stop that keeps the profit"),
    Rule.TARGET: (NoticeKind.TARGET_FIRED, "target"),
    Rule.TIME: (NoticeKind.TIME_EXIT, "time to exit"),
}


def unknown_key(p: Protection) -> NoticeKey:
    """Return the key under which people are notified that a protection's state is unknown."""
    return NoticeKey(NoticeSubject.PROTECTION_UNKNOWN, (p.protection_id,))


def clears_unknown(step: Step) -> NoticeKey | None:
    """Return the key to clear where the state of a protection is known again, or does not matter any more."""
    return unknown_key(step.after) if step.before.is_unknown and not step.after.is_unknown else None


def notices_of(step: Step, entry: Order | None, exit_: Order | None) -> list[Told]:
    """Return the notices that a step needs.

    Args:
        exit_: the exit that it asked for.
    """
    told: list[Told] = []
    kinds = {event.kind for event in step.events}
    for event in step.events:
        if event.kind is EventKind.FIRED:
            told.append((None, _fired(step.after, event, exit_)))
        elif event.kind is EventKind.ARMED:
            told.append((None, _trail(NoticeKind.TRAIL_ARMED, step.after, event, entry)))
        elif event.kind is EventKind.AT_COST:
            told.append((None, _at_cost(step.after, event, entry)))
        elif event.kind is EventKind.LOCKED:
            told.append((None, _locked(step.after, event, entry)))
        elif event.kind is EventKind.MOVED and step.tells_trail and EventKind.ARMED not in kinds:
            told.append((None, _trail(NoticeKind.TRAIL_MOVED, step.after, event, entry)))
        elif event.kind is EventKind.NO_STOP:
            told.append((None, _no_stop(step.after, event, entry)))
        elif event.kind is EventKind.EXIT_FAILED and event.facts["next"] != Next.NOTHING_HELD:
            told.append((None, _exit_failed(step.after, event)))
        elif event.kind is EventKind.ENDED and event.facts["reason"] == "EXIT_CANCELLED":
            told.append((None, _exit_cancelled(step.before, entry)))
        elif event.kind is EventKind.AGAIN and EventKind.EXIT_FAILED not in kinds:
            told.append((None, _again(step.after, event, entry)))
        elif event.kind is EventKind.UNKNOWN:
            told.append((unknown_key(step.after), _unknown(step.after, event, entry)))
    return told


def _fired(p: Protection, event: ProtectionEvent, exit_: Order | None) -> Notice:
    kind, name = _FIRED[Rule(event.facts["rule"])]
    level = event.facts.get("target" if kind is NoticeKind.TARGET_FIRED else "stop")
    units = event.facts["quantity"]
    what = f"{p.symbol}: last price {event.facts.get('price')} met the {name} at {level}; {units} units exit at market"
    if kind is NoticeKind.TIME_EXIT:
        what = f"{p.symbol}: the time to exit has come{_clock(p)}; {units} units exit at market"
    if "again" in event.facts:
        what = f"{p.symbol}: {units} units exit at market again, try {int(event.facts['again']) + 1} ({name})"
    more = "The exit is an order of its own and is followed as any other. Nothing to do unless it fails."
    if p.quantity:
        target = "" if p.target_price is None else f", next target {decimal_text(p.target_price)}"
        stop = "no stop" if p.stop_price is None else f"stop {decimal_text(p.stop_price)}"
        more = f"{decimal_text(p.quantity)} units stay protected ({stop}{target}). {more}"
    if exit_ is not None and exit_.tag is not None:
        more = f"The exit was stopped by a rule ({exit_.tag}): you are told what comes next."
    return Notice(kind, p.client_id, exit_, None, p.symbol, what, more=more)


def _clock(p: Protection) -> str:
    clock = further_of(p.protection_json).exit_clock
    return "" if clock is None else f" ({clock})"


def _at_cost(p: Protection, event: ProtectionEvent, entry: Order | None) -> Notice:
    what = f"{p.symbol}: last price {event.facts['price']}, the stop is moved to cost, {event.facts['stop']}"
    more = f"It was {event.facts.get('before', 'none')}. This is done once."
    return Notice(NoticeKind.STOP_AT_COST, p.client_id, entry, None, p.symbol, what, more=more)


def _locked(p: Protection, event: ProtectionEvent, entry: Order | None) -> Notice:
    what = (
        f"{p.symbol}: last price {event.facts['price']}, profit is locked, the stop is {event.facts['stop']}"
    )
    more = f"It was {event.facts.get('before', 'none')}. This is told once; later steps stand on the order's page."
    return Notice(NoticeKind.PROFIT_LOCKED, p.client_id, entry, None, p.symbol, what, more=more)


def _trail(kind: NoticeKind, p: Protection, event: ProtectionEvent, entry: Order | None) -> Notice:
    stop = "none yet" if p.stop_price is None else decimal_text(p.stop_price)
    what = f"{p.symbol}: last price {event.facts['price']}, the stop is now {stop}"
    more = f"It follows the price and never moves back. For a tighter one: POST /api/protections/{p.protection_id}"
    return Notice(kind, p.client_id, entry, None, p.symbol, what, more=more)


def _no_stop(p: Protection, event: ProtectionEvent, entry: Order | None) -> Notice:
    what = (
        f"{p.symbol}: {decimal_text(p.quantity)} units of {p.strategy_name} have no stop: a stop_loss of {p.stop_loss} "
        f"from the average fill of {event.facts['average']} is at 0 or below"
    )
    more = "Set a stop_price for it, or look after the position by hand."
    return Notice(NoticeKind.NO_STOP, p.client_id, entry, None, p.symbol, what, more=more)


def _exit_failed(p: Protection, event: ProtectionEvent) -> Notice:
    facts = event.facts
    why = sentence_of(facts["why"]) or "the broker did not say why"
    why = "somebody cancelled it" if facts["why"] == CANCELLED else why
    units, number = facts["quantity"], facts["failures"]
    what = f"{p.symbol}: the exit of {units} units of {p.strategy_name} failed (try {number}): {why}"
    by_hand = f"close the position by hand or with cli.py flatten --symbol {p.symbol}"
    more = {
        Next.RETRY: f"They are still held. It is tried again in {facts.get('again_in')}; to be quicker, {by_hand}.",
        Next.RULE_DROPPED: f"It is not tried again, only the stop goes on. To leave, {by_hand}.",
        Next.ENDED: f"It is not tried again: the units are held WITHOUT protection. Now {by_hand}.",
    }[Next(facts["next"])]
    return Notice(NoticeKind.PROTECTIVE_EXIT_FAILED, p.client_id, None, None, p.symbol, what, more=more)


def _exit_cancelled(p: Protection, entry: Order | None) -> Notice:
    what = f"{p.symbol}: the exit of {p.strategy_name} that its protection asked for was cancelled"
    more = "It is not asked for again, and the protection is over: look after what is still held by hand."
    return Notice(NoticeKind.PROTECTIVE_EXIT_FAILED, p.client_id, entry, None, p.symbol, what, more=more)


def _again(p: Protection, event: ProtectionEvent, entry: Order | None) -> Notice:
    what = (
        f"{p.symbol}: {event.facts['quantity']} units of {p.strategy_name} are held after the exit was over"
    )
    stop = "no stop" if p.stop_price is None else f"the stop at {decimal_text(p.stop_price)}"
    more = f"The broker showed a fill late. They are protected as before ({stop}); nothing to do."
    return Notice(NoticeKind.PROTECTED_AGAIN, p.client_id, entry, None, p.symbol, what, more=more)


def _unknown(p: Protection, event: ProtectionEvent, entry: Order | None) -> Notice:
    why = MarkFault(event.facts["fault"]).sentence
    what = f"{p.symbol}: {decimal_text(p.quantity)} units of {p.strategy_name} are not watched: {why}"
    levels = ", ".join(
        f"{name} {decimal_text(value)}"
        for name, value in (("stop", p.stop_price), ("target", p.target_price))
        if value is not None
    )
    more = (
        f"Nothing fires while that lasts ({levels or 'no level yet'}); it goes on by itself with the next price. Look "
        f"at the market, and close the position by hand if you have to."
    )
    return Notice(NoticeKind.PROTECTION_UNKNOWN, p.client_id, entry, None, p.symbol, what, more=more)
