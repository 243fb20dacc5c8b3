"""What needs a person: gathered from the read model, and decided about over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, redirect, request
from flask.typing import ResponseReturnValue

from console.access import local_path
from console.health import Check
from console.parameters import BadParameter, Parameters
from console.request_parsing import body_of, is_form
from domain.actors import Actor, ActorKind
from domain.attention import LONGEST_SNOOZE, SNOOZED_ONLY, Decided, Decision, Item, Need, by_urgency, parted
from domain.errors import NotFound
from domain.ports import Clock, OperatorRecords
from domain.ports.read_model import ReadModel, Row
from domain.risk_stops import RiskRule
from domain.stale_orders import FROZEN_AFTER
from domain.times import time_text

_INCOMPLETE_FOR = timedelta(hours=24)
_MOST_PROTECTIONS = 500
_FIELDS = ("item", "facts", "decision", "minutes", "reason", "by", "next")


@dataclass(frozen=True, slots=True)
class Attention:
    """The items that are open, and those that somebody has seen, each with the decision about it."""

    still_open: list[Item]
    seen: list[tuple[Item, Decision]]

    def count(self, need: str) -> int:
        """Count the items of this need, whether somebody has seen them or not."""
        return sum(item.need == need for item in [*self.still_open, *(item for item, _ in self.seen)])


@dataclass(frozen=True, slots=True)
class Known:
    """What the header of a page has read already."""

    checks: Mapping[str, Check]
    accounts: Sequence[Row]
    halts: Sequence[Row]
    stops: Sequence[Row]
    differences: Sequence[Row]


def attention(reader: ReadModel, records: OperatorRecords, known: Known, now: datetime) -> Attention:
    """Return what needs a person. Raises StoreUnavailable."""
    return Attention(*parted(by_urgency(items_of(reader, known, now)), records.decisions(), now))


def items_of(reader: ReadModel, known: Known, now: datetime) -> list[Item]:
    """List everything that needs a person, whatever people decided about it. Raises StoreUnavailable."""
    failed = [_order(Need.EXIT_FAILED, row) for row in reader.failed_exits()]
    places = {_place(item.row) for item in failed}
    return [
        *failed,
        *(_order(Need.UNKNOWN_ORDER, row) for row in reader.unknown_orders()),
        *(
            Item(Need.UNPROTECTED, row["client_id"], row["protection_id"], row["updated_at"], row)
            for row in reader.lost_protections()
            if _place(row) not in places
        ),
        *(
            Item(
                Need.PROTECTION_UNKNOWN,
                row["client_id"],
                row["protection_id"],
                str(row["unknown_since"]),
                row,
            )
            for row in reader.protections(client_id=None, open_only=True, limit=_MOST_PROTECTIONS)
            if row["is_unknown"]
        ),
        *(_order(Need.INCOMPLETE_ALERT, row) for row in reader.incomplete_alerts(now - _INCOMPLETE_FOR)),
        *_of_checks(known.checks),
        *(
            Item(Need.DIFFERENCE, d["client_id"], f"{d['exchange']}|{d['symbol']}|{d['product']}",
                 f"{d['since']} {d['difference']}", d)
            for d in known.differences
        ),
        *_of_limits(known),
        *(
            Item(Need.HALTED, halt["client_id"], halt["strategy_name"], halt["halted_at"], {**halt, "state": "HALTED"})
            for halt in known.halts
        ),
        *_frozen(reader, now),
    ]  # fmt: skip


def _order(need: Need, row: Row) -> Item:
    return Item(need, row["client_id"], row["command_id"], row["phase"], row)


def _place(row: Mapping[str, str]) -> tuple[str, ...]:
    return row["client_id"], row["strategy_name"], row["exchange"], row["symbol"]


def _of_checks(checks: Mapping[str, Check]) -> list[Item]:
    """List the failed checks. A sentence holds ages, so that it is no fact: the failure itself is."""
    found = []
    for name, check in checks.items():
        if not check.ok:
            part, _, client = name.partition(":")
            need = Need.BROKER if part == "broker" else Need.SERVICE
            found.append(Item(need, client, name, "", {"check": name, "sentence": check.sentence}))
    return found


def _of_limits(known: Known) -> list[Item]:
    found, told = [], set[tuple[str, str]]()
    for stop in known.stops:
        place = stop["client_id"], stop["strategy_name"]
        if stop["rule"] == RiskRule.REDUCING:
            row = {**stop, "state": "REDUCING", "halted_by": stop["set_by"], "halted_at": stop["since"],
                   "reason": stop["detail"]}  # fmt: skip
            found.append(Item(Need.HALTED, place[0], f"{place[1]}|REDUCING", stop["since"], row))
        else:
            told.add(place)
            found.append(
                Item(Need.LIMIT_REACHED, place[0], f"{place[1]}|{stop['rule']}", stop["since"], stop)
            )
    for account in known.accounts:
        for strategy in account["loss_latched"]:
            if (account["client_id"], strategy) not in told:
                row = {"client_id": account["client_id"], "strategy_name": strategy, "rule": "DAILY_LOSS",
                       "since": None, "detail": f"on {account['trading_day']}"}  # fmt: skip
                about = f"{strategy}|LATCHED"
                found.append(
                    Item(Need.LIMIT_REACHED, account["client_id"], about, str(account["trading_day"]), row)
                )
    return found


def _frozen(reader: ReadModel, now: datetime) -> list[Item]:
    """Return the orders long at the broker as one item: each may rest there on purpose. They are counted, not read."""
    count = reader.frozen_count(now - FROZEN_AFTER)
    return [Item(Need.LONG_AT_BROKER, "", "", str(count), {"count": count})] if count else []


def add_attention(blueprint: Blueprint, records: OperatorRecords, clock: Clock) -> None:
    """Add the routes of decisions to the blueprint."""

    @blueprint.post("/api/attention")
    def decide() -> ResponseReturnValue:
        """Record that somebody has seen an item, snoozes it, or opens it again."""
        decision = decision_of(body_of(request, _FIELDS), clock.now())
        records.decide(decision)
        if is_form(request):
            return redirect(local_path(request.form.get("next")), 303)
        return as_row(decision)

    @blueprint.get("/api/attention/decisions")
    def list_decisions() -> ResponseReturnValue:
        """Answer what people decided, the newest first."""
        return {"decisions": [as_row(each) for each in records.history(limit=500)]}


def decision_of(fields: Parameters, now: datetime) -> Decision:
    """Parse a decision.

    Raises:
        BadParameter: a field is missing, or is not what was expected.
        NotFound: the item is none.
    """
    key = fields.required("item")
    need, _, rest = key.partition("|")
    if need not in Need.__members__:
        raise NotFound(f"no item {key!r}")
    wish = fields.required("decision").upper()
    if wish not in Decided.__members__:
        raise BadParameter("decision", f"expected one of {', '.join(Decided)}")
    decided, until = Decided(wish), None
    if decided is Decided.ACKNOWLEDGED and Need(need) in SNOOZED_ONLY:
        raise BadParameter("decision", "expected SNOOZED: acknowledged, it would hide later failures as well")
    if decided is Decided.SNOOZED:
        most = int(LONGEST_SNOOZE.total_seconds() // 60)
        until = now + timedelta(minutes=fields.number("minutes", default=15, low=1, high=most))
    elif fields.text("minutes") is not None:
        raise BadParameter("minutes", "expected nothing: they belong to SNOOZED")
    by = str(Actor(ActorKind.CONSOLE, fields.text("by") or "console"))
    client_id = rest.partition("|")[0]
    facts = fields.text("facts") or ""
    return Decision(key, client_id, facts, decided, by, now, until, fields.text("reason") or "")


def as_row(decision: Decision) -> Row:
    """Return a decision as JSON shows it."""
    return {
        "item": decision.key,
        "client_id": decision.client_id,
        "facts": decision.facts,
        "decision": str(decision.decided),
        "by": decision.by,
        "at": time_text(decision.at),
        "until": None if decision.until is None else time_text(decision.until),
        "reason": decision.reason,
    }
