"""A watcher that dies in its call to the broker."""

import pytest

from domain.commands import UniversalOrderCommand
from tests.support import Desk


class Killed(BaseException):
    """Stands for the end of the process: nothing after it is done."""


def die_in_the_call(desk: Desk, *, taken: bool = False) -> None:
    """The watcher dies while it sends the next order, and another takes its place.

    Args:
        taken: the broker had taken the order by then.
    """
    place = desk.broker.place

    def die(command: UniversalOrderCommand) -> None:
        if taken:
            place(command)
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(desk.broker, "place", die)
        with pytest.raises(Killed):
            desk.engine.execute_next("default")
    desk.replace_watcher()
