"""An order's story on one line of time: the alert, its reading, the order's history, messages, protections, its group.

Each line is made from one stored row. What is not stored is not told: no line is guessed from another.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from console.order_lines import order_lines, who
from console.story_line import Fact, Kind, Line, described, fact, json_object
from console.template_filters import PageFormatter
from domain.combined import CombinedEvent
from domain.leg_groups import GroupState
from domain.ports.read_model import Row
from domain.protection import EventKind


def story_lines(story: Row) -> list[Line]:
    """Return the lines of an order's story, oldest first; `story` is what the read model returns.

    Lines of one source keep its order, also where a clock was set back in between. At the same moment the alert comes
    first, then the order, its group, its protections, its messages.
    """
    sources: Sequence[Iterable[Line]] = (
        _alert_lines(story["alert"]),
        order_lines(story["events"]),
        _group_lines(story["groups"]),
        _protection_lines(story["protections"]),
        _message_lines([*story["alert_messages"], *story["messages"]]),
    )
    placed: list[_Place] = []
    for rank, lines in enumerate(sources):
        latest = ""
        for number, line in enumerate(lines):
            latest = max(latest, line.at)
            placed.append(_Place(latest, rank, number, line))
    return [place.line for place in sorted(placed, key=lambda place: place[:3])]


class _Place(NamedTuple):
    at: str
    rank: int
    number: int
    line: Line


def _alert_lines(alert: Row | None) -> Iterator[Line]:
    """What came, and what it was read as; nothing for an order that no alert asked for."""
    if alert is None:
        return
    at, id_ = alert["received_at"], alert["alert_id"]
    kept = json_object(alert["context_json"])
    sentence, replay = f"An alert came from {alert['remote_addr']}.", kept.get("replay")
    if isinstance(replay, dict):
        sentence = f"{who(alert['remote_addr'])} had alert {replay.get('alert_id')} registered anew."
    elif alert["duplicate_of"]:
        sentence = f"An alert came from {alert['remote_addr']} that repeats {alert['duplicate_of']}."
    why = fact("Reason", replay.get("reason")) if isinstance(replay, dict) else ()
    facts = (*fact("Alert", id_), *fact("Signal", alert["signal_id"]), *why)
    yield Line(
        f"a-{id_}", at, Kind.ALERT, sentence, facts, "", alert["raw_body"], "Body as received, secrets masked"
    )
    wanted = f"{(alert['execution_type'] or 'an alert').lower()} of {alert['strategy_name']}"
    read = (
        *fact("Repaired", described(kept.get("repairs"))),
        *fact("Not read", described(kept.get("unread"))),
        *(
            each
            for found in kept.get("instruments", ())
            for each in fact(f"Leg {found.get('leg')}", _became(found))
        ),
    )
    if alert["strategy_name"] is not None:
        yield Line(f"r-{id_}", at, Kind.READ, f"{alert['format']}: {wanted}.", read)


def _became(found: Row) -> str:
    notes = described(found.get("notes"))
    return f"{found.get('asked')} became {found.get('became')}" + (f" ({notes})" if notes else "")


_GROUP = {
    GroupState.FORMING: ("Nothing of the group is filled yet", ""),
    GroupState.INCOMPLETE: ("A part of the group is filled, and the rest may still be", "warn"),
    GroupState.COMPLETE: ("The group is complete", "good"),
    GroupState.UNWINDING: ("The group is given up: what waits is cancelled, what is filled is exited", "bad"),
    GroupState.UNWOUND: ("Nothing is left of the group", "warn"),
    GroupState.LEFT_TO_PERSON: ("The group is not what the alert wanted, and a person decides", "bad"),
}


_COMBINED = {
    CombinedEvent.OPENED: ("The group is protected as a whole", ""),
    CombinedEvent.ARMED: ("The group's combined trail is armed", ""),
    CombinedEvent.MOVED: ("The group's combined trail keeps more of the profit", ""),
    CombinedEvent.LOCKED: ("A part of the group's combined profit is locked", ""),
    CombinedEvent.LOCK_STEPPED: ("More of the group's combined profit is locked", ""),
    CombinedEvent.UNKNOWN: ("The group's combined profit is not known: nothing is met until it is", "bad"),
    CombinedEvent.KNOWN: ("The group's combined profit is known again", ""),
    CombinedEvent.FIRED: ("The group's combined protection was met: all of it leaves", "warn"),
    CombinedEvent.CANCELLED: ("A person ended the group's combined protection", "warn"),
    CombinedEvent.ENDED: ("The group's combined protection has ended", ""),
}


def _group_lines(groups: Sequence[Row]) -> Iterator[Line]:
    for group in groups:
        for event in group["events"]:
            if event["kind"] is not None:
                said, tone = _COMBINED[CombinedEvent(event["kind"])]
                named = json_object(event["detail"])
                facts = tuple(Fact(name.replace("_", " "), str(value), None) for name, value in named.items())
                yield Line(f"g-{event['event_id']}", event["at"], Kind.GROUP, f"{said}.", facts, tone)
                continue
            said, tone = _GROUP[GroupState(event["to_state"])]
            yield Line(
                f"g-{event['event_id']}",
                event["at"],
                Kind.GROUP,
                f"{said}.",
                fact("Why", event["detail"]),
                tone,
            )


_PROTECTION = {
    EventKind.OPENED: ("It was registered with the entry, and begins with its fill", ""),
    EventKind.FILLED: ("It covers what is filled", ""),
    EventKind.NO_STOP: ("Its stop would lie at 0 or below: there is none", "bad"),
    EventKind.SHRUNK: ("It covers less: another exit took units", ""),
    EventKind.ARMED: ("Its trail is armed", ""),
    EventKind.MOVED: ("Its stop was tightened by the trail", ""),
    EventKind.AT_COST: ("Its stop was moved to the average fill", ""),
    EventKind.LOCKED: ("A part of its profit is locked by the stop", ""),
    EventKind.LOCK_STEPPED: ("More of its profit is locked by the stop", ""),
    EventKind.CHANGED: ("A person changed it", "warn"),
    EventKind.UNKNOWN: ("It has no usable price: nothing is watched until there is one", "bad"),
    EventKind.KNOWN: ("It has a usable price again", ""),
    EventKind.FIRED: ("It was met: an exit is asked for", "warn"),
    EventKind.EXIT_FAILED: ("An exit that it asked for came to nothing, or to a part", "bad"),
    EventKind.AGAIN: ("Something of its entry is still held: it is covered again", "warn"),
    EventKind.ENDED: ("It has ended", ""),
}


def _protection_lines(protections: Sequence[Row]) -> Iterator[Line]:
    for protection in protections:
        for event in protection["events"]:
            said, tone = _PROTECTION[EventKind(event["kind"])]
            facts = tuple(
                Fact(name.replace("_", " "), str(value), str(value) if name == "exit" else None)
                for name, value in event["facts"].items()
            )
            yield Line(f"p-{event['event_id']}", event["at"], Kind.PROTECTION, f"{said}.", facts, tone)


def _message_lines(messages: Sequence[Row]) -> Iterator[Line]:
    for message in messages:
        what = message["kind"].replace("_", " ").capitalize()
        match message["status"]:
            case "SENT":
                sent = message["sent_at"]
                after = f", {PageFormatter.gap(message['timestamp'], sent)}" if sent else ""
                sentence, tone = f"{what}: sent{after}.", "quiet"
            case "FAILED":
                sentence, tone = f"{what}: not delivered.", "bad"
            case _:
                sentence, tone = f"{what}: waits to be sent.", "quiet"
        error = fact("Last error", message["last_error"])
        text = PageFormatter.plain(message["message"])
        yield Line(
            f"m-{message['id']}",
            message["timestamp"],
            Kind.MESSAGE,
            sentence,
            error,
            tone,
            text,
            "What it says",
        )
