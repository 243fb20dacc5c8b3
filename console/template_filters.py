"""Format values from the database for the pages."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from domain.cancellation import cancel_under_way, hindrance
from domain.enums import ExecutionType
from domain.further_terms import further_of
from domain.money import ZERO, decimal_text
from domain.ports.read_model import Row
from domain.reason_codes import Family, Reason, family_of, reason_of, words_of
from domain.states import Phase, Status
from domain.times import parse_time, time_text

_STATES = {
    Phase.REGISTERED: "not sent yet",
    Phase.SUBMITTING: "being sent",
    Phase.UNKNOWN: "outcome unknown",
    Phase.WORKING: "live at the broker",
    Phase.PARTIALLY_FILLED: "partly filled",
    Phase.FILLED: "filled",
    Phase.BLOCKED: "blocked by our rule",
    Phase.LAPSED: "not sent",
    Phase.REFUSED: "broker refused",
    Phase.REJECTED: "broker rejected",
    Phase.CANCELLED: "cancelled",
    Phase.EXPIRED: "expired",
    Phase.ABSENT: "broker never had it",
}


@dataclass(frozen=True, slots=True)
class PageFormatter:
    """Formats the values of one page: times in `zone`, ages as of `now`."""

    zone: tzinfo
    now: datetime

    def day(self, text: str) -> str:
        """`20 Nov`, with the year when it is not the present one."""
        at = self._local(text)
        return f"{at:%d %b}" if at.year == self.now.astimezone(self.zone).year else f"{at:%d %b %Y}"

    def clock(self, text: str) -> str:
        """`09:30:00`."""
        return f"{self._local(text):%H:%M:%S}"

    def millis(self, text: str) -> str:
        """`09:30:00.123`."""
        return self._local(text).strftime("%H:%M:%S.%f")[:-3]

    def is_unclaimed(self, difference: Row) -> bool:
        """True where the broker has more than the strategies hold, on the same side: these units can be adopted."""
        amount, held, there = (Decimal(difference[name]) for name in ("difference", "held", "at_broker"))
        return amount * (held or there) > 0

    def moment(self, text: str | None) -> str:
        """`20 Nov 09:30:00`, a dash when there is no time."""
        return "–" if text is None else f"{self.day(text)} {self.clock(text)}"

    def moment_of(self, at: datetime) -> str:
        """As `moment`, of a time that is none of the database's."""
        return self.moment(time_text(at))

    @property
    def zone_name(self) -> str:
        """The name of the time zone in which times are shown: `IST`, `UTC`."""
        return self.now.astimezone(self.zone).tzname() or "UTC"

    def is_today(self, day: str | None) -> bool:
        """True for today in `zone`; `day` has the format of `accounts.trading_day`."""
        return day == self.now.astimezone(self.zone).date().isoformat()

    def age(self, text: str | None) -> str:
        """`3 s`, `5 min`, `2 h`, `4 days`; `never` when there is no time."""
        if text is None:
            return "never"
        seconds = max(0, int((self.now - parse_time(text)).total_seconds()))
        if seconds < 120:
            return f"{seconds} s"
        if seconds < 7200:
            return f"{seconds // 60} min"
        return f"{seconds // 3600} h" if seconds < 172_800 else f"{seconds // 86_400} days"

    @staticmethod
    def gap(before: str, after: str) -> str:
        """The duration between two times: `+0.4 ms`, `+12 ms`, `+3.1 s`, `+2 min`, `+2.5 h`."""
        seconds = (parse_time(after) - parse_time(before)).total_seconds()
        if seconds < 0.01:
            return f"+{seconds * 1000:.1f} ms"
        if seconds < 1:
            return f"+{seconds * 1000:.0f} ms"
        if seconds < 120:
            return f"+{seconds:.1f} s"
        return f"+{seconds / 60:.0f} min" if seconds < 7200 else f"+{seconds / 3600:.1f} h"

    @staticmethod
    def reason(order: Row) -> str:
        """Why the order is in its state: the sentence of its tag, and what its reason's message adds."""
        sentence, added = words_of(order["tag"]), order["reason_detail"]
        if added is None:  # the message stands alone, or an earlier version wrote it and stored both as one
            message = order["reason_message"] or ""
            added = "" if message in sentence else message
        return " · ".join(part for part in (sentence, added) if part)

    @staticmethod
    def severity(order: Row) -> str:
        """How an order's state is coloured: one that ended in vain by who ended it, a failed exit above all."""
        phase, reason = Phase(order["phase"]), reason_of(order["tag"])
        if order["status"] != Status.FAILED:
            return "unknown" if phase is Phase.UNKNOWN else str(order["status"]).lower()
        if reason is Reason.NO_POSITION or family_of(order["tag"]) is Family.DUPLICATE_BLOCKED:
            return "ours"
        if phase is Phase.CANCELLED or reason is Reason.CANCELLED_BEFORE_SENT:
            return "cancelled"
        if order["execution_type"] == ExecutionType.EXIT:
            return "exit-failed"
        if phase is Phase.BLOCKED:
            return "ours"
        return "rejected" if phase in (Phase.REFUSED, Phase.REJECTED) else "cancelled"

    def ending(self, order: Row) -> str:
        """The order's state in a trader's words."""
        if self.severity(order) == "exit-failed":
            return "exit failed"
        return _STATES[Phase(order["phase"])]

    @staticmethod
    def terms(order: Row) -> str:
        """`LIMIT 112.5`, `STOP_LIMIT 112.5 trigger 110`."""
        price = f" {order['price']}" if order["price"] is not None else ""
        trigger = f" trigger {order['trigger_price']}" if order["trigger_price"] is not None else ""
        return f"{order['order_type'].replace('_', ' ')}{price}{trigger}"

    @staticmethod
    def trail(protection: Row) -> str | None:
        """`POINTS 3 after 5, armed`; None where the stop follows nothing."""
        if protection["trailing_type"] is None:
            return None
        after = f" after {protection['trail_when']}" if protection["trail_when"] is not None else ""
        armed = "armed" if protection["is_armed"] else "not armed yet"
        return f"{protection['trailing_type']} {protection['trailing_value']}{after}, {armed}"

    @staticmethod
    def lock(protection: Row) -> str | None:
        """`4pt after 10pt, then 2pt each 5pt, not reached yet`; None where no profit is to be locked."""
        lock = further_of(protection["protection_json"]).lock
        if lock is None:
            return None
        more = f", then {lock.trail.text} each {lock.step.text}" if lock.trail and lock.step else ""
        steps = protection["locked_steps"]
        state = "not reached yet" if steps is None else f"locked, {steps} further steps"
        return f"{'cost' if lock.floor is None else lock.floor.text} after {lock.at.text}{more}, {state}"

    @staticmethod
    def targets(protection: Row) -> str | None:
        """`10pt 50 % (25 asked for), 20pt 50 %`; None where there is one target at most."""
        targets = further_of(protection["protection_json"]).targets
        sold = json.loads(protection["targets_sold"])
        told = [
            f"{each.value} {decimal_text(each.share)} %" + (f" ({units} asked for)" if units != "0" else "")
            for each, units in zip(targets, sold, strict=True)
        ]
        return ", ".join(told) or None

    @staticmethod
    def cancel_hindrance(order: Row) -> str | None:
        """Why the order cannot be cancelled in its present state; None when it can."""
        return hindrance(Phase(order["phase"]), order["broker_order_id"])

    def cancel_under_way(self, order: Row, events: Sequence[Row]) -> str | None:
        """Who asked for a cancel that the book has not settled, when, and whether it was sent to the broker."""
        under_way = cancel_under_way(order, events)
        return None if under_way is None else under_way.told(self.moment)

    @staticmethod
    def quantity(order: Row) -> str:
        """The order's quantity; `all` for an exit whose size is not determined yet."""
        return "all" if order["quantity"] == "0" else str(order["quantity"])

    @staticmethod
    def money(text: str) -> str:
        """`+1,234.5`, with a true minus sign."""
        return f"{Decimal(text):+,f}".replace("-", "−")

    @staticmethod
    def sum(*texts: str) -> str:
        """The sum of decimal texts."""
        return decimal_text(sum((Decimal(text) for text in texts), ZERO))

    @staticmethod
    def plain(message: str) -> str:
        """A message as its reader sees it, without markup."""
        return html.unescape(re.sub(r"<[^<>]*>", "", message))

    @staticmethod
    def is_loss(text: str) -> bool:
        """True below zero."""
        return Decimal(text) < 0

    @staticmethod
    def details(event: Row) -> dict[str, Any]:
        """The columns that an event changed, without those that were empty and stay empty."""
        return {name: value for name, value in json.loads(event["detail_json"]).items() if value is not None}

    def _local(self, text: str) -> datetime:
        return parse_time(text).astimezone(self.zone)
