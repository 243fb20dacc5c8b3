import pytest

from tests.broker.noren.making import make
from tests.broker.noren.stub import Stub


@pytest.fixture
def stub():
    with Stub() as server:
        yield server


@pytest.fixture
def broker(stub, clock, tmp_path):
    broker = make(stub.url, clock, tmp_path)
    yield broker
    broker.close()
