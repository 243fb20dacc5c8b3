"""A clock that somebody sets is noticed, by this process and by the next one; time that really passed never is."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from app.clock_steps import ClockSteps, beside

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Machine:
    """A machine whose clock can be set, beside what its kernel counts."""

    def __init__(self) -> None:
        self.counted = 1000.0
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.counted) + self.ahead

    def set_clock(self, seconds: float) -> None:
        self.ahead += timedelta(seconds=seconds)

    def pass_(self, seconds: float) -> None:
        self.counted += seconds

    def watched(self, folder, boot: str = "one") -> ClockSteps:
        file = beside(folder / "orders.db")
        return ClockSteps(self, file, counted=lambda: self.counted, boot=boot)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_it_is_steady_from_the_first_look_on_while_time_passes(machine, tmp_path):
    steps = machine.watched(tmp_path)
    first = steps.since()
    assert first == machine.now()
    for seconds in (0.1, 7, 3600, 86400):
        machine.pass_(seconds)
        assert steps.since() == first


@pytest.mark.parametrize("by", [0.6, 20, 3600, -0.6, -3600])
def test_a_step_counts_everything_anew_from_when_it_is_noticed(machine, tmp_path, by):
    steps = machine.watched(tmp_path)
    steps.since()
    machine.pass_(10)
    machine.set_clock(by)
    noticed = steps.since()
    assert noticed == machine.now()
    machine.pass_(10)
    assert steps.since() == noticed


def test_what_keeps_a_clock_right_is_no_step(machine, tmp_path):
    steps = machine.watched(tmp_path)
    first = steps.since()
    for _ in range(100):
        machine.pass_(60)
        machine.set_clock(0.03)  # 3 s in all
        assert steps.since() == first


def test_the_next_process_goes_on_where_nothing_was_set(machine, tmp_path):
    first = machine.watched(tmp_path).since()
    machine.pass_(500)
    assert machine.watched(tmp_path).since() == first


@pytest.mark.parametrize("boot", ["one", "another", ""])
def test_the_next_process_begins_anew_after_a_step_or_a_start_of_the_machine(machine, tmp_path, boot):
    machine.watched(tmp_path).since()
    machine.pass_(500)
    if boot == "one":
        machine.set_clock(90)
    later = machine.watched(tmp_path, boot)
    assert later.since() == machine.now()


def test_a_step_that_another_process_has_noticed_is_the_next_ones_too(machine, tmp_path):
    running = machine.watched(tmp_path)
    running.since()
    machine.pass_(60)
    machine.set_clock(90)
    noticed = running.since()
    machine.pass_(60)
    assert machine.watched(tmp_path).since() == noticed


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"boot": "one"}', '{"boot": "one", "ahead": "x", "since": "y"}', "\xff"]
)
def test_a_file_that_cannot_be_read_makes_waits_longer_and_nothing_else(machine, tmp_path, text):
    file = beside(tmp_path / "orders.db")
    file.write_bytes(text.encode("latin-1"))
    assert machine.watched(tmp_path).since() == machine.now()
    assert json.loads(file.read_text())["boot"] == "one"


def test_a_folder_that_cannot_be_written_makes_waits_longer_and_nothing_else(machine, tmp_path):
    missing = tmp_path / "no" / "orders.db"
    steps = ClockSteps(machine, beside(missing), counted=lambda: machine.counted, boot="one")
    first = steps.since()
    machine.pass_(5)
    assert steps.since() == first


def test_a_file_of_the_future_is_not_believed(machine, tmp_path):
    machine.watched(tmp_path).since()
    file = beside(tmp_path / "orders.db")
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "since": "2036-01-01T00:00:00.000000Z"}))
    assert machine.watched(tmp_path).since() == machine.now()


def test_the_machines_own_clock_is_steady_here(tmp_path):
    steps = ClockSteps(
        type("Now", (), {"now": staticmethod(lambda: datetime.now(UTC))}), beside(tmp_path / "orders.db")
    )
    assert steps.since() == steps.since()


def test_a_step_that_cannot_be_kept_leaves_no_file_behind(machine, tmp_path):
    beside(tmp_path / "orders.db").mkdir()  # nothing can take its place
    first = machine.watched(tmp_path).since()
    assert first == machine.now() and [each.name for each in tmp_path.iterdir()] == ["orders.db-clock.json"]
