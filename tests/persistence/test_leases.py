"""A lease keeps others out for its length from now at most, whatever time stands in it."""

from datetime import timedelta

from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.migrations import migrate
from persistence.sqlite.outbox import SqliteOutbox
from tests.persistence.making import START

LENGTH = timedelta(seconds=30)


def test_a_lease_of_before_the_clock_was_set_back_is_not_honoured(tmp_path):
    path = tmp_path / "orders.db"
    migrate(path)
    outbox = SqliteOutbox(GroupCommit(path), Readers(path))
    assert outbox.lease("chat", "dead", START + timedelta(hours=1), LENGTH)
    assert outbox.lease("chat", "living", START, LENGTH)
    assert not outbox.lease("chat", "another", START + timedelta(seconds=10), LENGTH)
    assert outbox.lease("chat", "another", START + timedelta(seconds=31), LENGTH)
