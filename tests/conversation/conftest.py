"""The desk that the conversation's tests talk to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conversation.making import CLIENTS, Desk
from tests.notifications.fake_telegram import FakeTelegram


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as running:
        yield running


@pytest.fixture
def make_desk(telegram: FakeTelegram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    monkeypatch.chdir(tmp_path)

    def make(**environ: Any) -> Desk:
        return Desk(telegram, tmp_path, environ)

    return make


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """One client, whose chat Ann and others are in; Ann may act."""
    return make_desk()


@pytest.fixture
def two(make_desk: Callable[..., Desk], tmp_path: Path) -> Desk:
    """Two clients: `default` in its chat, `second` in a group."""
    (tmp_path / "clients.toml").write_text(CLIENTS)
    return make_desk(CLIENTS_FILE="clients.toml")
