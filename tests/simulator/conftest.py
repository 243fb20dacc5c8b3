"""A simulator, and a session with it."""

from collections.abc import Iterator

import pytest

from broker.simulator.server import SimulatorServer
from tests.simulator.wire import Wire, serving
from tests.support import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def server(clock: ManualClock) -> Iterator[SimulatorServer]:
    with serving(clock=clock) as running:
        yield running


@pytest.fixture
def wire(server: SimulatorServer) -> Wire:
    return Wire(server.url).login()
