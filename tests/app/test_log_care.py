"""The log is moved into orders.db as often as there is something to move, and seldom by a service that is idle."""

from app.log_care import LogCare
from domain.errors import StoreReplaced, StoreUnavailable


class Database:
    """Counts the moves of the log."""

    def __init__(self) -> None:
        self.made = 10
        self.moves = 0
        self.error: StoreUnavailable | None = None
        self.seconds = 0.0

    def commits(self) -> int:
        return self.made

    def move_log(self) -> None:
        if self.error is not None:
            raise self.error
        self.moves += 1

    def look(self) -> None:
        """The store's: whether it is still the same database."""

    def after(self, care: LogCare, *, commits: int, seconds: float = 2.0) -> int:
        """How often the log has been moved after another look."""
        self.made += commits
        self.seconds += seconds
        care.look()
        return self.moves


def care_of(database: Database) -> LogCare:
    return LogCare(database, database, monotonic=lambda: database.seconds)  # type: ignore[arg-type]


def test_it_is_moved_at_each_look_while_many_commit():
    database = Database()
    care = care_of(database)
    assert [database.after(care, commits=100) for _ in range(4)] == [1, 2, 3, 4]


def test_few_commits_are_moved_together_and_within_half_a_minute():
    database = Database()
    care = care_of(database)
    assert [database.after(care, commits=2) for _ in range(31)] == [1] * 15 + [2] * 15 + [3]


def test_few_commits_at_a_time_add_up():
    database = Database()
    care = care_of(database)
    assert [database.after(care, commits=32, seconds=1) for _ in range(5)] == [1, 1, 2, 2, 3]


def test_what_could_not_be_moved_is_tried_again_at_the_next_look():
    database = Database()
    care = care_of(database)
    database.error = StoreReplaced("another file lies in its place")
    assert database.after(care, commits=2) == 0
    database.error = None
    assert [database.after(care, commits=2) for _ in range(3)] == [1, 1, 1]


def test_without_a_count_of_commits_it_is_moved_at_each_look():
    database = Database()
    database.made, care = 0, care_of(database)
    assert [database.after(care, commits=0) for _ in range(3)] == [1, 2, 3]
