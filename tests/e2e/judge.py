"""An independent judge: what was asked for, what orders.db says, and what the broker did. Do the three agree?

It imports nothing of Orderwatch and believes none of it: not its word for what happened at the broker, not its
count of duplicates, not its hashes. Each check yields sentences that name order ids and where the evidence stands.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from tests.e2e.judge_case import Case, Check, listed, said, time_of
from tests.e2e.judge_evidence import BrokerOrder, Evidence, Row
from tests.e2e.judge_history import history_faults
from tests.e2e.judge_positions import POSITIONS

TOLD_WITHIN = timedelta(seconds=60)  # of an order's beginning, if its outcome is unknown then
GRACE = timedelta(seconds=15)
TOLD_REVIVED = timedelta(seconds=15)  # of the broker's late acceptance
GRACE_AFTER_KILL = timedelta(seconds=10)  # a service that was killed just then starts anew first


def duplicates(case: Case) -> Iterator[str]:
    """Two broker orders for one leg: under one id, or because one alert became two."""
    for row in case.orders.values():
        if len(case.sent(row)) > 1:
            yield f"{row['command_id']} ({row['client_order_id']}): {listed(case.sent(row))}"
    for what, alerts in case.by_asked.items():
        legs: dict[str, list[BrokerOrder]] = defaultdict(list)
        for alert in alerts:
            for row in case.by_alert[alert["alert_id"]]:
                legs[_leg_of(row)] += case.sent(row)
        for index, sent in legs.items():
            if len({order.client_order_id for order in sent}) > 1:
                yield f"leg {index} of {what}: {listed(sent)}"


def _leg_of(row: Row) -> str:
    """The leg's number; a further part of a leg has one broker order of its own, and the number of the part behind."""
    part = row["command_id"].removeprefix(row["parent_command_id"]) if row["parent_command_id"] else ""
    return f"{row['leg_index']}{part}"


def false_executed(case: Case) -> Iterator[str]:
    """EXECUTED, and the broker has not filled all of it under that number."""
    for row in _real(case, "EXECUTED"):
        fitting = [o for o in case.sent(row) if o.broker_order_id == row["broker_order_id"]]
        filled = Decimal(row["filled_quantity"])
        if not fitting or not fitting[0].filled == filled == Decimal(row["quantity"]):
            yield f"{said(row)}; the broker: {listed(case.sent(row))}"


def false_failed(case: Case) -> Iterator[str]:
    """FAILED, and the broker has it live, filled, or partly filled with another quantity than is written here."""
    for row in _real(case, "FAILED"):
        for order in case.sent(row):
            if order.is_live or order.status == "COMPLETE" or order.filled != Decimal(row["filled_quantity"]):
                yield f"{said(row)}; the broker: {order}"


def failed_too_soon(case: Case) -> Iterator[str]:
    """Called FAILED although the broker had it, or accepted it within the horizon that has to be reckoned with."""
    for event in case.evidence.tables.events:
        if event["from_status"] != "FAILED" or event["to_status"] == "FAILED":
            continue
        sent = case.sent(case.orders[event["command_id"]]) if event["command_id"] in case.orders else []
        if not any(order.late_by > case.evidence.horizon for order in sent):
            was, became = (
                f"{event[f'{which}_status']}/{event[f'{which}_phase']}" for which in ("from", "to")
            )
            yield f"{event['command_id']}: {was} became {became} at {event['at']}; the broker: {listed(sent)}"


def revived_untold(case: Case) -> Iterator[str]:
    """Accepted after the horizon, when it was called FAILED, and for 15 s no message said that the broker has it."""
    for row, order in revived(case):
        due = order.at + TOLD_REVIVED + GRACE_AFTER_KILL
        times = [time_of(message["timestamp"]) for message in case.told[row["command_id"]]]
        if not any(order.at <= at <= due for at in times):
            yield f"{said(row)}; {order.late_by.total_seconds():.1f} s late: {order}"


def revived(case: Case) -> Iterator[tuple[Row, BrokerOrder]]:
    """Orders that the broker accepted later than the horizon, and that were called FAILED then.

    One that it only refused then was never accepted: FAILED, with nothing filled, is what became of it.
    """
    for row in case.orders.values():
        for order in case.sent(row):
            before = [e for e in case.events[row["command_id"]] if time_of(e["at"]) <= order.at]
            refused = order.status == "REJECTED" and not order.filled
            late = order.late_by > case.evidence.horizon and not refused
            if late and before and before[-1]["to_status"] == "FAILED":
                yield row, order


def acks_lost(case: Case) -> Iterator[str]:
    """Answered with 200, and not there with all its legs."""
    for delivery in case.evidence.deliveries:
        if delivery.status != 200:
            continue
        missing = [id_ for id_ in delivery.command_ids if id_ not in case.orders]
        if missing:
            yield f"{delivery.asked}: acknowledged as {', '.join(missing)}, of which there is no row"
        first = [a for a in case.by_asked[delivery.asked] if a["duplicate_of"] is None]
        legs = (
            sum(not row["parent_command_id"] for row in case.by_alert[first[0]["alert_id"]]) if first else 0
        )
        if legs != len(delivery.body["legs"]):
            yield f"{delivery.asked}: {len(delivery.body['legs'])} legs acknowledged, {legs} in orders.db"


def never_acknowledged(case: Case) -> Iterator[str]:
    """Senders repeat until they are answered with 200, so in the end every alert has been."""
    heard: dict[str, list[int | None]] = defaultdict(list)
    for delivery in case.evidence.deliveries:
        heard[delivery.asked].append(delivery.status)
    for what, statuses in heard.items():
        if 200 not in statuses:
            yield f"{what}: {len(statuses)} tries, the last answered with {statuses[-1] or 'nothing'}"


def blocked_but_sent(case: Case) -> Iterator[str]:
    """One of our own rules said no, and the broker has it all the same."""
    for row in case.orders.values():
        if row["phase"] == "BLOCKED" and case.sent(row):
            yield f"{said(row)}; the broker: {listed(case.sent(row))}"


def sent_before_durable(case: Case) -> Iterator[str]:
    """The broker took it before the time of the event that says it was sent.

    That time is noted within the transaction, before its COMMIT: an order that left in between is not seen here.
    """
    for row in case.orders.values():
        for order in case.sent(row):
            # What a front end keeps back left us when it was received.
            left = order.received or order.at
            before = [e for e in case.events[row["command_id"]] if time_of(e["at"]) <= left]
            status = before[-1]["to_status"] if before else "no row"
            if status != "SENT_TO_BROKER":
                yield f"{said(row)}: was {status} when the broker took it; {order}"


def unexplained(case: Case) -> Iterator[str]:
    """A broker order that no row explains, and that no person placed in the broker's app."""
    ours = {row["client_order_id"] for row in case.orders.values()}
    for order in case.evidence.broker_orders:
        if order.client_order_id not in ours and not order.by_hand:
            yield str(order)


def unfinished(case: Case) -> Iterator[str]:
    """Neither ended nor called unknown, although nothing of it lives at the broker.

    What waits for an outcome that is unknown waits for the person who has been asked about it.
    """
    asked = {_place(row) for row in case.orders.values() if row["phase"] == "UNKNOWN"}
    for row in case.orders.values():
        if row["status"] in ("EXECUTED", "FAILED") or row["phase"] == "UNKNOWN":
            continue
        if row["phase"] == "REGISTERED" and _place(row) in asked:
            continue
        if not (row["phase"] in ("WORKING", "PARTIALLY_FILLED") and any(o.is_live for o in case.sent(row))):
            yield f"{said(row)}; the broker: {listed(case.sent(row))}"


def _place(row: Row) -> tuple[str, str, str]:
    return row["client_id"], row["strategy_name"], row["symbol"]


def untold(case: Case) -> Iterator[str]:
    """Failed, or unknown for longer than a minute, and nobody was told.

    What was cancelled for a new price has not failed while another row exits its rest.
    """
    gone_on = {_instead_of(row) for row in case.orders.values()}
    for row in case.orders.values():
        messages = case.told[row["command_id"]]
        has_failed = row["status"] == "FAILED" and row["command_id"] not in gone_on
        if has_failed and not any("ORDER FAILED" in m["message"] for m in messages):
            yield f"{said(row)}: no message says that it failed"
        if _was_unknown_for_long(case, row) and not any(m["kind"] == "UNKNOWN" for m in messages):
            yield f"{said(row)}: was unknown for more than {TOLD_WITHIN.seconds} s, and no message says so"


def _instead_of(row: Row) -> str | None:
    """The row whose rest this one exits."""
    chase = json.loads(row.get("context_json") or "{}").get("chase", {})
    found: str | None = chase.get("instead_of")
    return found


def _was_unknown_for_long(case: Case, row: Row) -> bool:
    """Unknown beyond the minute after it was sent, for longer than a service needs to say so that was just killed."""
    due, since = time_of(row["created_at"]) + TOLD_WITHIN, None
    for event in case.events[row["command_id"]]:
        at = time_of(event["at"])
        if event["to_phase"] == "SUBMITTING":
            due = at + TOLD_WITHIN
        if event["to_phase"] == "UNKNOWN":
            since = since or at
        elif since is not None:
            if at - max(since, due) > GRACE:
                return True
            since = None
    return row["phase"] == "UNKNOWN"


def undelivered(case: Case) -> Iterator[str]:
    """A message that waits, was given up, or is called sent although nobody received it."""
    for message in case.evidence.tables.messages:
        name = f"message {message['id']} ({message['kind']})"
        if message["status"] != "SENT":
            yield f"{name}: {message['status']}, {message['last_error']}"
        elif (
            case.evidence.delivered is not None
            and message["telegram_message_id"] not in case.evidence.delivered
        ):
            yield f"{name}: SENT as {message['telegram_message_id']}, which was never delivered"


def history(case: Case) -> Iterator[str]:
    """The events' chain is broken, or does not rebuild the row."""
    yield from history_faults(case.orders, case.events)


def run_faults(case: Case) -> Iterator[str]:
    """The run was none, and all the other zeros mean nothing."""
    yield from case.evidence.run_faults
    if not any(delivery.status == 200 for delivery in case.evidence.deliveries):
        yield "no alert was acknowledged"
    if not case.evidence.broker_orders:
        yield "no order reached the broker"


MUST_BE_ZERO: dict[str, Check] = {
    "duplicates": duplicates,
    "false FAILED": false_failed,
    "failed too soon": failed_too_soon,
    "revived untold": revived_untold,
    "false EXECUTED": false_executed,
    "acks lost": acks_lost,
    "never acknowledged": never_acknowledged,
    "blocked but sent": blocked_but_sent,
    "sent before durable": sent_before_durable,
    "unexplained at broker": unexplained,
    **POSITIONS,
    "unfinished": unfinished,
    "untold": untold,
    "history faults": history,
    "messages undelivered": undelivered,
    "run faults": run_faults,
}


@dataclass
class Verdict:
    """The figures, and for each check what was found; nothing may be."""

    figures: dict[str, int]
    found: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """True when no promise was broken."""
        return not any(self.found.values())

    def __str__(self) -> str:
        counted = [f"{name} {value}" for name, value in self.figures.items()]
        zeros = [f"{name} {len(found)}" for name, found in self.found.items()]
        return f"{', '.join(counted)} | {', '.join(zeros)}"

    def evidence(self, most: int = 20) -> str:
        """Every finding in a line of its own, up to so many of each kind."""
        lines = []
        for name, found in self.found.items():
            lines += [f"{name}: {each}" for each in found[:most]]
            if len(found) > most:
                lines.append(f"{name}: and {len(found) - most} more")
        return "\n".join(lines)


def judge(evidence: Evidence, *, leaving_out: Collection[str] = ()) -> Verdict:
    """Compare all with all, but for the named checks, where a run could not keep what they ask for."""
    case = Case(evidence)
    checks = {name: check for name, check in MUST_BE_ZERO.items() if name not in leaving_out}
    return Verdict(_figures(case), {name: list(check(case)) for name, check in checks.items()})


def _figures(case: Case) -> dict[str, int]:
    evidence = case.evidence
    kinds = Counter(_kind(row) for row in case.orders.values())
    return {
        "alerts sent": len({d.asked for d in evidence.deliveries}),
        "deliveries": len(evidence.deliveries),
        "acknowledged": len({d.asked for d in evidence.deliveries if d.status == 200}),
        "legs": sum(kinds.values()),
        "at broker": len(evidence.broker_orders),
        **{name: kinds[name] for name in ("executed", "failed", "blocked", "unknown", "open")},
        "by hand": sum(order.by_hand for order in evidence.broker_orders),
        "revived": sum(1 for _ in revived(case)),
        "had been unknown": len(
            {e["command_id"] for e in evidence.tables.events if e["to_phase"] == "UNKNOWN"}
        ),
    }


def _kind(row: Row) -> str:
    if row["status"] == "FAILED":
        return "blocked" if row["phase"] == "BLOCKED" else "failed"
    if row["status"] == "EXECUTED":
        return "executed"
    return "unknown" if row["phase"] == "UNKNOWN" else "open"


def _real(case: Case, status: str) -> Iterator[Row]:
    """Orders of that status that a broker was involved in; test mode touches none."""
    return (r for r in case.orders.values() if r["status"] == status and r["test_mode"] is None)
