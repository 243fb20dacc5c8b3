"""The lines that an order's own events make: what we decided, what was asked of the broker, what it answered."""

from collections.abc import Iterator, Sequence
from typing import Any

from console.story_line import Fact, Kind, Line, choices, fact, json_object
from console.template_filters import PageFormatter
from domain.actors import ActorKind, actor_of
from domain.cancellation import reason_of_cancel
from domain.ports.read_model import Row
from domain.reason_codes import Reason, reason_of, words_of
from domain.states import Phase

Detail = dict[str, Any]


def order_lines(events: Sequence[Row]) -> Iterator[Line]:
    """Yield a line for each event, with the order's columns as the events had made them by then."""
    as_of: Detail = {}
    for event in events:
        detail = json_object(event["detail_json"])
        before, as_of = as_of, {**as_of, **detail}
        kind, sentence, facts, tone = _told(event, detail, before, as_of)
        yield Line(f"e-{event['event_id']}", event["at"], kind, sentence, facts, tone)


def who(text: str) -> str:
    """An actor of the history as a reader names it: `ann (console)`, `an alert`, `watcher-1`."""
    actor = actor_of(text)
    if actor.is_person:
        return f"{actor.name or 'somebody'} ({actor.kind})"
    return "an alert" if actor.kind is ActorKind.WEBHOOK else actor.name


_Told = tuple[Kind, str, tuple[Fact, ...], str]


def _told(event: Row, detail: Detail, before: Detail, as_of: Detail) -> _Told:
    if event["from_phase"] is None:
        return _registered(event, as_of)
    if "moved_from" in detail:
        sentence = (
            f"Moved from client {detail['moved_from']} to {detail['client_id']}, by {who(event['actor'])}."
        )
        return Kind.PERSON, sentence, (), "quiet"
    if event["from_phase"] == event["to_phase"] and detail.get("cancel_requested_at"):
        reason = fact("Reason", reason_of_cancel(detail.get("context_json")))
        by = who(event["actor"])
        sentence = f"A cancel was asked for by {by}. The order stands until the broker’s book shows its end."
        return Kind.CANCEL, sentence, reason, "warn"
    if event["from_phase"] == event["to_phase"] and detail.get("cancel_sent_at"):
        return Kind.CANCEL, "The cancel was sent to the broker, whose book decides.", (), "warn"
    phase = Phase(event["to_phase"])
    match phase:
        case Phase.BLOCKED | Phase.LAPSED:
            return _stopped(event, as_of, phase)
        case Phase.REGISTERED:
            return _waits(event, detail)
        case Phase.SUBMITTING:
            return _claimed(event, as_of)
        case Phase.UNKNOWN:
            return _unknown(event, detail, as_of)
        case _:
            return _reported(event, detail, before, as_of, phase)


def _registered(event: Row, row: Detail) -> _Told:
    wanted = f"{row['side']} {PageFormatter.quantity(row)} {row['symbol']} ({row['execution_type'].lower()})"
    asked_by = actor_of(event["actor"])
    by = " for the alert" if asked_by.kind is ActorKind.WEBHOOK else f" by {who(event['actor'])}"
    facts = (
        *fact("Order", _terms(row)),
        *fact("Exchange", row.get("exchange")),
        *fact("Product", row.get("product")),
        *fact("Strategy", row.get("strategy_name")),
        *fact("Stop", row.get("stop_loss")),
        *fact("Target", row.get("target")),
        *fact("Test mode", row.get("test_mode")),
        *choices(json_object(row.get("context_json"))),
    )
    return Kind.ORDER, f"{wanted} was registered{by}. Nothing is sent yet.", facts, ""


def _stopped(event: Row, row: Detail, phase: Phase) -> _Told:
    """A verdict of our own rules, with the figures that it was made by; or an order that is not sent any more."""
    words = words_of(event["tag"]) or str(row.get("reason_message") or event["tag"] or "")
    figures = fact("Facts", row.get("reason_detail"))
    if reason_of(event["tag"]) is Reason.CANCELLED_BEFORE_SENT:
        return Kind.CANCEL, f"Taken back by {who(event['actor'])} before it was sent.", figures, "warn"
    if phase is Phase.BLOCKED:
        return Kind.RULE, f"Blocked: {words}. Nothing was sent.", figures, "bad"
    return Kind.ORDER, f"Not sent any more: {words}.", figures, "bad"


def _waits(event: Row, detail: Detail) -> _Told:
    why = str(detail.get("reason_message") or "")
    if event["from_phase"] != Phase.REGISTERED:
        return Kind.BROKER, "It did not get through, and is sent again.", fact("Why", why), "warn"
    if detail.get("waits_for"):
        return Kind.RULE, "It waits for something that has to come first.", fact("What for", why), "warn"
    if why:
        return Kind.RULE, "It cannot be sent yet, and is tried again.", fact("Why", why), "warn"
    if "not_before" in detail:
        return Kind.RULE, "It is checked again.", (), "quiet"
    return Kind.ORDER, "Something about it was noted.", _changes(detail), "quiet"


def _claimed(event: Row, row: Detail) -> _Told:
    facts = (
        *fact("Request", f"{row['side']} {PageFormatter.quantity(row)} {row['symbol']} {_terms(row)}"),
        *fact("Product", row.get("product")),
        *fact("Our id at the broker", row.get("client_order_id")),
    )
    sentence = f"Claimed for sending by {who(event['actor'])}: from here on the broker may have it."
    return Kind.CLAIM, sentence, facts, ""


def _unknown(event: Row, detail: Detail, row: Detail) -> _Told:
    why = detail.get("reason_detail") or detail.get("reason_message")
    if actor_of(event["actor"]).is_person:
        sentence = f"{who(event['actor'])} said which order at the broker it is. The broker’s book decides."
        return Kind.PERSON, sentence, fact("Said", why), "warn"
    if event["from_phase"] == Phase.UNKNOWN and "attempts" in detail:
        sentence = f"Sent again under the same id by {who(event['actor'])}, which makes no second order at this broker."
        return Kind.CLAIM, sentence, fact("Send", row.get("attempts")), "warn"
    if event["from_phase"] == Phase.UNKNOWN:
        return Kind.BROKER, "Its outcome is still not known.", fact("Why", why), "warn"
    return Kind.BROKER, "It is not known whether the broker has it: it may be live.", fact("Why", why), "warn"


_SAID = {
    Phase.WORKING: ("It is live at the broker", ""),
    Phase.PARTIALLY_FILLED: ("It is partly filled", ""),
    Phase.FILLED: ("It is filled", "good"),
    Phase.REFUSED: ("The broker refused it", "bad"),
    Phase.REJECTED: ("The broker rejected it", "bad"),
    Phase.CANCELLED: ("It is cancelled at the broker", "warn"),
    Phase.EXPIRED: ("It has expired at the broker", "warn"),
    Phase.ABSENT: ("The broker never had it", "bad"),
}


def _reported(event: Row, detail: Detail, before: Detail, row: Detail, phase: Phase) -> _Told:
    """What the broker answered or its book reported, or what a person found out there."""
    said, tone = _SAID[phase]
    number, filled = detail.get("broker_order_id"), detail.get("filled_quantity")
    if number is not None and before.get("broker_order_id") is None and phase is Phase.WORKING:
        said = f"The broker accepted it as {number}"
    facts = (
        *fact("Broker id", number),
        *fact("Filled", filled and f"{filled} of {PageFormatter.quantity(row)}"),
        *fact("Average price", detail.get("average_price")),
        *fact("Reason", detail.get("reason_message")),
        *fact("Broker said", _once(detail.get("exchange_error_snippet"), detail.get("reason_message"))),
    )
    if actor_of(event["actor"]).is_person:
        return Kind.PERSON, f"{who(event['actor'])} recorded: {said[0].lower()}{said[1:]}.", facts, tone
    if not facts:
        facts = _changes(detail)
    return Kind.BROKER, f"{said}.", facts, tone


def _once(text: object, known: object) -> object:
    return None if text == known else text


def _terms(row: Detail) -> str:
    return PageFormatter.terms({"price": None, "trigger_price": None, **row})


def _changes(detail: Detail) -> tuple[Fact, ...]:
    """The names of changed columns alone: their values are for engineers."""
    return fact("Changed", ", ".join(name.replace("_", " ") for name in sorted(detail)))
