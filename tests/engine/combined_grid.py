"""A protected group that leaves, with a failure of each leg's exit and a death at every boundary, in memory.

`python -m tests.engine.combined_grid` runs all of them and prints how many there were.
"""

import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from domain.broker_reports import BrokerStatus
from domain.combined import CombinedTerms, CombinedUnit
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import ExecutionType
from domain.errors import BrokerError, NotSent, OutcomeUnknown, Refused
from domain.leg_groups import GroupState
from domain.protection import Rule
from tests.engine.group_grid import SHAPES, Case, GridBroker, GridDesk

STOP = CombinedTerms(CombinedUnit.MONEY, stop_loss=Decimal(1000))
FAILURES = (
    "none",
    "refused",
    "rejected later",
    "partly, then cancelled",
    "lost",
    "not answered",
    "turned away",
)
_FALLS_AT, _STEPS = 12, 300  # the step at which prices turn against the group, and how many there are


class _Broker(GridBroker):
    """Fills entries, and does once with the exit of one leg what the case says."""

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        is_it = (
            command.symbol == self._failing
            and command.execution_type is ExecutionType.EXIT
            and not self._tried
        )
        how = self._case.how
        self.fill_at_once = not is_it or how in ("none", "not answered", "turned away")
        self.script = [self._once(how) if is_it else None]
        self._tried = self._tried or is_it
        return super(GridBroker, self).place(command)

    def _once(self, how: str) -> BrokerError | tuple[str, BrokerError] | None:
        if how == "refused":
            return Refused("RMS", "no margin")
        if how == "lost":
            return OutcomeUnknown("timed out")
        if how == "not answered":
            return ("after", OutcomeUnknown("timed out"))
        return NotSent("busy", look_first=True) if how == "turned away" else None

    def goes_on(self) -> None:
        for id_, report in list(self.orders.items()):
            if report.status is BrokerStatus.OPEN:
                is_rejected = self._case.how == "rejected later"
                self.report(
                    id_,
                    BrokerStatus.REJECTED if is_rejected else BrokerStatus.CANCELLED,
                    0 if is_rejected else 20,
                )


def leaves(case: Case) -> tuple[int, str]:
    """Run one case to its end; returns how many boundaries were crossed, and what was wrong."""
    desk = GridDesk(case, _Broker, combined=STOP)
    desk.counts_from_now(dies=False)
    prices = dict.fromkeys((f"LEG{n}" for n in range(len(case.shape))), Decimal("112.5"))
    for step in range(_STEPS):
        if step == _FALLS_AT:
            desk.counts_from_now(dies=True)
            prices = {f"LEG{n}": Decimal(60 if each == "B" else 170) for n, each in enumerate(case.shape)}
        desk.broker.prices = prices
        desk.tick()
        units = desk.units()
        if any(each < 0 for each in units):
            return desk.crossed, f"turned to {units}"
        held = dict(zip(range(len(units)), units, strict=True))
        is_sold = any(held[n] for n, each in enumerate(case.shape) if each == "S")
        if (
            step > _FALLS_AT
            and is_sold
            and any(held[n] < 50 for n, each in enumerate(case.shape) if each == "B")
        ):
            return desk.crossed, f"a sold leg without its hedge: {units}"
        [group] = desk.store.groups_of_alert(desk.receipt.alert_id)
        if step > _FALLS_AT and not group.is_watched:
            break
    return desk.crossed, _wrong(desk)


def _wrong(desk: GridDesk) -> str:
    [group] = desk.store.groups_of_alert(desk.receipt.alert_id)
    if group.state is not GroupState.UNWOUND or any(desk.units()):
        return f"{group.state} ({group.why}), and {desk.units()} are there"
    assert group.combined is not None
    if group.combined.fired_by is not Rule.STOP:
        return f"left by {group.combined.fired_by}"
    tags = [command.client_order_id for command in desk.broker.placed]
    return "sent twice" if len(tags) != len(set(tags)) else ""


def cases(every: int, of_cases: int) -> Iterator[tuple[Case, str]]:
    """Run each so many-th failure without a death, and of its deaths each so many-th."""
    failures = [Case(shape, n, how) for shape in SHAPES for n in range(len(shape)) for how in FAILURES]
    number = 0
    for case in failures[::of_cases]:
        crossed, wrong = leaves(case)
        yield case, wrong
        for fatal in range(crossed):
            number += 1
            if number % every == 0:
                dying = replace(case, fatal=fatal)
                yield dying, leaves(dying)[1]


def run(every: int = 1, of_cases: int = 1) -> tuple[str, list[str]]:
    """Run the cases as `cases` says; returns what to print, and what was wrong."""
    logging.disable(logging.CRITICAL)
    total = deaths = 0
    wrong = list[str]()
    try:
        for case, fault in cases(every, of_cases):
            total, deaths = total + 1, deaths + (case.fatal is not None)
            if fault:
                wrong.append(f"{case}: {fault}")
    finally:
        logging.disable(logging.NOTSET)
    return f"{total:,} protected groups left, {deaths:,} of them with a death: {len(wrong)} wrong", wrong


if __name__ == "__main__":
    told, faults = run(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    print(told, *faults[:20], sep="\n")
    raise SystemExit(bool(faults))
