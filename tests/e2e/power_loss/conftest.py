"""The compiled shim, and a small program under it."""

import os
from pathlib import Path

import pytest

from tests.e2e.power_loss import journal
from tests.e2e.power_loss.journal import NoCompiler
from tests.e2e.power_loss.small_run import Writer


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return journal.compiled(tmp_path_factory.mktemp("shim"))
    except NoCompiler as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


@pytest.fixture
def writer(tmp_path: Path, library: Path) -> Writer:
    return Writer(tmp_path, library)
