"""The compiled shim."""

import os
from pathlib import Path

import pytest

from tests.e2e.power_loss import journal
from tests.e2e.power_loss.journal import NoCompiler


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return journal.compiled(tmp_path_factory.mktemp("shim"))
    except NoCompiler as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
