import pytest

from tests.broker.dhan.at_dhan import DHAN
from tests.contract.http_broker import HttpBroker


@pytest.fixture
def at() -> HttpBroker:
    return DHAN
