"""Alerts that nobody had seen when the readers were written: none becomes a wrong order."""

from collections import Counter

from tests.alerts import blind
from tests.alerts.corpus import DISAGREED, REFUSED, RIGHT, WRONG


def test_no_alert_of_a_stranger_becomes_a_wrong_order_and_as_many_are_right_as_ever():
    cases = list(blind.cases())
    assert [(case.number, case.told["legs"]) for case in cases if case.verdict == WRONG] == []
    assert {case.number for case in cases if case.verdict == DISAGREED} == blind.DISAGREEMENTS.keys()
    counts = Counter(case.verdict for case in cases)
    assert len(cases) == 222 and counts[RIGHT] >= 119 and counts[RIGHT] + counts[REFUSED] >= 209
    for case in cases:
        if case.told["outcome"] == "rejected":
            assert case.told["error"]["message"], case
