"""What the tests of the operator's commands share."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from domain.order import Order
from tests.persistence.making import Maker

SECRET = "webhook-secret-of-the-tests-0123456789"


@dataclass
class Service:
    """Stands for the running service: keeps what was posted, answers as told."""

    url: str = ""
    status: int = 200
    database: str | None = None  # which one it says that it writes to; None: that of the settings
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


def json_of(capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command printed with `--json`."""
    return json.loads(capsys.readouterr().out)


def order_of(maker: Maker, command_id: str) -> Order:
    """The order's row as it is now."""
    order = maker.store.get_by_id(command_id)
    assert order is not None
    return order
