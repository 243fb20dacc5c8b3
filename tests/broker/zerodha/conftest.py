import pytest

from tests.broker.zerodha.at_zerodha import ZERODHA
from tests.contract.http_broker import HttpBroker


@pytest.fixture
def at() -> HttpBroker:
    return ZERODHA
