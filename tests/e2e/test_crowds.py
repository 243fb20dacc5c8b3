"""Many at once: identical alerts on two workers, and a service that is killed under load."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e import kills
from tests.e2e.service import Service, alert


def test_200_identical_entries_over_16_connections_make_one_order(tmp_path: Path) -> None:
    with Service(tmp_path) as service, ThreadPoolExecutor(16) as pool:
        answers = [r.json() for r in pool.map(service.post, [alert()] * 200)]
        service.all_settled()
        assert Counter(a["status"] for a in answers) == {"accepted": 1, "duplicate": 199}
        assert len({a["alert_id"] for a in answers}) == 1
        assert service.broker_rows("SELECT count(*) FROM orders") == [(1,)]
        assert service.rows("SELECT status, count(*) FROM orders GROUP BY 1") == [
            ("EXECUTED", 1),
            ("FAILED", 199),
        ]


def test_200_entries_that_differ_in_price_make_one_order(tmp_path: Path) -> None:
    """No two are the same alert, so only the rule on open entries stands between them."""
    with Service(tmp_path) as service, ThreadPoolExecutor(16) as pool:
        list(pool.map(service.post, [alert(price=100 + n / 100) for n in range(200)]))
        service.all_settled()
        assert service.broker_rows("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.timeout(180)
def test_nothing_is_lost_or_doubled_when_the_service_is_killed(tmp_path: Path) -> None:
    verdict = kills.run(tmp_path, alerts=150, kills=3)
    print(verdict)
    assert verdict.figures["acknowledged"] == 150
    assert verdict.figures["executed"] == 200
    assert verdict.is_clean, verdict.evidence()
