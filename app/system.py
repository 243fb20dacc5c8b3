"""The real clock and real ids, passed in at the composition root."""

import os
import pwd
import secrets
import socket
from datetime import UTC, datetime

from domain.actors import Actor, ActorKind
from domain.ids import ulid


class SystemClock:
    """`domain.ports.Clock` on the machine's clock."""

    def now(self) -> datetime:
        """The present, aware UTC."""
        return datetime.now(UTC)


class RandomIds:
    """`domain.ports.Ids` from the operating system's randomness."""

    def alert_id(self, at: datetime) -> str:
        """A ULID: sorts by time, and is unique without coordination."""
        return ulid(at, secrets.randbits(80))


def new_watcher_name() -> str:
    """A name that no other watcher has or had: host name, process id and random digits."""
    host = "".join(c for c in socket.gethostname() if c.isalnum() or c in "-.")[:30]
    return f"{host or 'host'}-{os.getpid()}-{secrets.token_hex(4)}"


def operator_name() -> str:
    """The user who runs the command, as an actor for the history."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return str(Actor(ActorKind.CLI, name))
