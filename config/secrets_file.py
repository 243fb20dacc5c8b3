"""Generate the secrets that nobody set, once, and store them beside the database for the next start."""

import fcntl
import json
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.checking import SettingsError

MODE = 0o600


def ensure_secrets(path: Path, names: Collection[str], *, keep: bool = True) -> dict[str, str]:
    """Return the secrets of these names from the file `path`; missing ones are generated and added to it.

    Without `keep` no file is created or written: secrets that are generated then are known to nobody else.

    The file is readable by its owner only. Processes that start at the same time get the same secrets.

    Raises:
        SettingsError: the file cannot be read or written, or holds something else.
    """
    try:
        if not keep:
            return {name: secrets.token_urlsafe(32) for name in names} | _of(names, _read(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(path.parent):
            kept = _read(path)
            missing = [name for name in names if name not in kept]
            if missing:
                kept |= {name: secrets.token_urlsafe(32) for name in missing}
                _replace(path, json.dumps(kept, indent=2) + "\n")
    except OSError as error:
        raise SettingsError(
            [f"{path}: made-up secrets cannot be {'kept' if keep else 'read'} there: {error.strerror}"]
        ) from error
    return _of(names, kept)


def _of(names: Collection[str], kept: dict[str, str]) -> dict[str, str]:
    return {name: kept[name] for name in names if name in kept}


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    # Lock the folder, which all starting processes have in common; the file may not exist yet.
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _read(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_mode & 0o777 != MODE:
            path.chmod(MODE)
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        kept = None
    if not isinstance(kept, dict) or not all(value and isinstance(value, str) for value in kept.values()):
        raise SettingsError([f"{path}: expected made-up secrets as a JSON object; remove it to get new ones"])
    return kept


def _replace(path: Path, text: str) -> None:
    # A new file replaces the old one as a whole: a crash leaves the old one, and nobody reads half a file.
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)  # left by a crash; the lock keeps other processes out
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
