"""What every store of operators' records keeps to."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.attention import Decided, Decision
from domain.ports import EquityPoint, OperatorRecords
from tests.support import START

MINUTE = timedelta(minutes=1)


def a_decision(key: str = "HALTED|default|", decided: Decided = Decided.ACKNOWLEDGED, **changes) -> Decision:
    values: dict[str, Any] = {
        "client_id": "default",
        "facts": "₹ 1",
        "by": "console:ann",
        "at": START,
        "reason": "seen",
    }
    return Decision(key, decided=decided, **(values | changes))


class OperatorContract:
    """Subclassed for each store."""

    def make(self, folder: Path) -> OperatorRecords:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> OperatorRecords:
        return self.make(tmp_path)

    def test_the_last_decision_of_an_item_counts_and_the_others_stay(self, store):
        first = a_decision()
        last = a_decision(
            decided=Decided.SNOOZED, until=START + MINUTE, at=START + MINUTE / 2, by="console:ben"
        )
        other = a_decision("BROKER|b|")
        for each in (first, other, last):
            store.decide(each)
        assert dict(store.decisions()) == {first.key: last, other.key: other}
        assert store.history(limit=2) == [last, other]
        assert store.history(limit=9)[-1] == first

    def test_points_of_one_minute_replace_each_other(self, store):
        for seconds, total in ((0, "1"), (59, "2.5"), (60, None)):
            at = START + timedelta(seconds=seconds)
            store.note_equity("default", EquityPoint(at, None if total is None else Decimal(total)))
        store.note_equity("other", EquityPoint(START, Decimal(9)))
        assert store.equity("default", START) == [
            EquityPoint(START + timedelta(seconds=59), Decimal("2.5")),
            EquityPoint(START + MINUTE, None),
        ]
        assert store.equity("default", START + MINUTE) == [EquityPoint(START + MINUTE, None)]
        assert store.equity("nobody", START) == []

    def test_points_of_over_a_week_ago_go(self, store):
        store.note_equity("default", EquityPoint(START, Decimal(1)))
        late = EquityPoint(START + timedelta(days=8), Decimal(2))
        store.note_equity("default", late)
        assert store.equity("default", START) == [late]
