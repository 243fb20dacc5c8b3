"""What the tests of the paper broker share."""

from pathlib import Path

import pytest

from tests.contract.broker_contract import ContractClock


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "paper.db"
