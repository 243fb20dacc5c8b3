import pytest

from tests.broker.alpaca.making import make
from tests.broker.alpaca.stub import TOLD
from tests.contract.http_stub import Stub


@pytest.fixture
def stub(clock):
    server = Stub(clock, TOLD)
    yield server
    server.stop()


@pytest.fixture
def broker(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path)
    yield broker
    broker.close()
