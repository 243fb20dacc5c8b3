"""What was answered is there after the power went at any moment, and the service goes on by itself."""

import random
from pathlib import Path

import pytest

from tests.e2e.power_loss.run import Plan, run


@pytest.mark.gate
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("library")
def test_the_service_keeps_what_it_promised_through_power_loss(tmp_path: Path) -> None:
    result = run(
        tmp_path.resolve(), Plan(lives=2, seconds=1.5, cuts=16, pause=0.2), seed=random.randrange(1_000_000)
    )
    print(result)
    assert result.is_clean, result.evidence()
    counts = result.figures.counts
    assert counts["losses"] == 2 and counts["cuts"] >= 40
    assert counts["acks"] > 50 and counts["orders"] > 50
