"""What the tests of brokers share. For a broker over HTTP, those of its folder say which one `at` is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.simulator.server import SimulatorServer
from tests.broker.over_http import OVER_HTTP
from tests.contract.broker_contract import ContractClock
from tests.contract.http_broker import HttpBroker
from tests.contract.http_stub import Stub


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "paper.db"


@pytest.fixture(params=OVER_HTTP, ids=lambda at: at.name)
def at(request) -> HttpBroker:
    """The broker over HTTP."""
    return request.param


@pytest.fixture
def stub(at, clock) -> Iterator[Stub]:
    """A server that answers as it is told."""
    server = Stub(clock, at.told)
    yield server
    server.stop()


@pytest.fixture
def server(at, clock) -> Iterator[SimulatorServer]:
    """The simulated broker, which speaks that wire."""
    server = at.a_server(clock)
    yield server
    server.stop()


@pytest.fixture
def broker(at, stub, clock, tmp_path) -> Iterator:
    """The adapter at the stub."""
    broker = at.make(stub.url, clock, tmp_path)
    yield broker
    broker.close()
