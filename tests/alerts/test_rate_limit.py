"""Token buckets."""

import pytest

from alerts.rate_limit import RateLimiter
from tests.alerts.fakes import Seconds


def test_a_burst_passes_then_the_rate_holds() -> None:
    clock = Seconds()
    limiter = RateLimiter(10, burst=5, monotonic=clock)
    assert [limiter.wait("a") for _ in range(5)] == [0.0] * 5
    wait = limiter.wait("a")
    assert 0 < wait <= 0.1
    clock.at += wait + 1e-9
    assert limiter.wait("a") == 0.0
    passed = 0
    for _ in range(1000):
        clock.at += 0.01
        passed += limiter.wait("a") == 0.0
    assert passed == pytest.approx(100, abs=2)


def test_senders_do_not_share_a_bucket() -> None:
    limiter = RateLimiter(1, burst=1, monotonic=Seconds())
    assert limiter.wait("a") == 0.0
    assert limiter.wait("a") > 0
    assert limiter.wait("b") == 0.0


def test_a_refusal_takes_no_token() -> None:
    clock = Seconds()
    limiter = RateLimiter(1, burst=1, monotonic=clock)
    limiter.wait("a")
    for _ in range(50):
        assert limiter.wait("a") > 0
    clock.at += 1.01
    assert limiter.wait("a") == 0.0


def test_zero_is_no_limit() -> None:
    limiter = RateLimiter(0, burst=0, monotonic=Seconds())
    assert not any(limiter.wait("a") for _ in range(10_000))


def test_memory_is_bounded_and_who_is_seen_often_is_remembered() -> None:
    limiter = RateLimiter(0.001, burst=1, monotonic=Seconds(), max_senders=100)
    limiter.wait("busy")
    for stranger in range(40):
        limiter.wait(f"s{stranger}")
    assert limiter.wait("busy") > 0
    for stranger in range(5000):
        limiter.wait(f"t{stranger}")
    assert len(limiter._recent) + len(limiter._older) <= 100
