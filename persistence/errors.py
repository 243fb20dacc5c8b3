"""Why a database cannot be opened or used, for whoever starts a process on it."""

from domain.errors import OrderwatchError


class DatabaseTooNew(OrderwatchError):
    """The database was migrated by a newer program than this one."""


class FileLocked(OSError):
    """Another process holds the lock and did not release it in time."""


class UnknownDatabase(OrderwatchError, ValueError):
    """No database of ours is meant by this URL; the message names the setting and says what was expected."""
