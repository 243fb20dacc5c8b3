"""A short run of the torture: every part of it works, and the judge finds nothing."""

from pathlib import Path

import pytest

from tests.e2e import torture
from tests.e2e.torture_senders import Plan


@pytest.mark.gate
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_doubled_or_called_wrongly_whatever_fails(tmp_path: Path) -> None:
    result = torture.run(tmp_path, seconds=8, seed=11, plan=Plan(hold=2.5, pause=0.3), kill_every=(0.5, 2.0))
    print(f"{result}\n{result.details}")
    assert result.is_clean, result.verdict.evidence()
    figures = result.verdict.figures
    assert result.kills.total() > 0 and result.struck.total() > 0
    assert figures["acknowledged"] == figures["alerts sent"] > 20
    assert figures["executed"] > 10
    assert figures["unknown"] == 0
