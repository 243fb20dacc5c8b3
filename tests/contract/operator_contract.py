"""What every store of operators' records keeps to."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.attention import Decided, Decision
from domain.ports import OperatorRecords
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
