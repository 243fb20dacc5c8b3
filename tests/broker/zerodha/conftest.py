import pytest

from tests.broker.zerodha.making import make
from tests.broker.zerodha.stub import Stub


@pytest.fixture
def stub(clock):
    server = Stub(clock)
    yield server
    server.stop()


@pytest.fixture
def broker(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path)
    yield broker
    broker.close()
