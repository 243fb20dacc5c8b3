import pytest

from tests.broker.dhan.making import make
from tests.broker.dhan.stub import DhanStub


@pytest.fixture
def stub(clock):
    server = DhanStub(clock)
    yield server
    server.stop()


@pytest.fixture
def broker(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path)
    yield broker
    broker.close()
