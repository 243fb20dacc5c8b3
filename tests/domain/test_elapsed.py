"""What a stamp says when the clock was set back in between: not that it is young."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.enums import ExecutionType
from domain.times import has_elapsed, is_within
from tests.persistence.making import START, Maker

WINDOW = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("age", "young"),
    [(0, True), (59, True), (60, False), (-1, True), (-59, True), (-60, False), (-3600, False)],
)
def test_a_stamp_is_young_for_a_window_and_one_of_the_future_is_not_young_for_longer(age, young):
    now = START + timedelta(seconds=age)
    assert is_within(START, now, WINDOW) is young
    assert has_elapsed(START, now, WINDOW) is not young


@pytest.mark.parametrize(
    ("kind", "back", "over"),
    [
        (ExecutionType.ENTRY, 0, False),
        (ExecutionType.ENTRY, 299, False),
        (ExecutionType.ENTRY, 301, True),
        (ExecutionType.EXIT, 3600, False),
    ],
)
def test_an_entry_of_the_future_is_over_and_an_exit_is_not(kind, back, over):
    order = replace(Maker._leg("A1", 0, START), execution_type=kind)
    assert order.is_over(START - timedelta(seconds=back)) is over
    assert order.is_over(order.expires_at + timedelta(seconds=1))
