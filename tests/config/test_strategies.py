"""The strategies file: the more specific table wins, field by field, and nothing in it is silently ignored."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.settings import load_settings
from config.checking import Problems, SettingsError
from config.strategies import read_strategies
from domain.limits import ExitScope, GroupPolicy, StrategyBook, StrategyPolicy

EXAMPLE = Path(__file__).resolve().parents[2] / "config" / "strategies.example.toml"
BASE = StrategyPolicy(settling=timedelta(seconds=5))


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(tmp_path: Path, text: str) -> StrategyBook:
    path = tmp_path / "strategies.toml"
    path.write_text(text)
    found = Problems()
    tables = read_strategies(path, found)
    found.raise_any()
    return tables.over(BASE)


def test_without_a_file_every_strategy_has_the_settings():
    assert read_strategies(None, Problems()).over(BASE) == StrategyBook(BASE)
    policy = load_settings({"EXIT_SCOPE": "position", "SETTLING_SECONDS": "1.5"}).default_client.policy
    assert policy.strategy("any") == StrategyPolicy(ExitScope.POSITION, None, timedelta(seconds=1.5))


def test_the_more_specific_table_wins_field_by_field(tmp_path):
    book = read(
        tmp_path,
        """
        default = { exit_scope = "position" }
        [strategies.S]
        group = "independent"
        [strategies.T]
        exit_scope = "own"
        settling_seconds = 0.5
        """,
    )
    assert book.for_strategy("other") == StrategyPolicy(ExitScope.POSITION, None, timedelta(seconds=5.0))
    assert book.for_strategy("S") == StrategyPolicy(
        ExitScope.POSITION, GroupPolicy.INDEPENDENT, timedelta(seconds=5.0)
    )
    assert book.for_strategy("T") == StrategyPolicy(ExitScope.OWN, None, timedelta(seconds=0.5))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "[default]\nexit_scop = 'own'\n",
            "strategies.toml [default] exit_scop: unknown, did you mean exit_scope?",
        ),
        (
            "[strategies.S]\nexit_scope = 'all'\n",
            "strategies.toml [strategies.S] exit_scope: got 'all', expected own or position",
        ),
        (
            "[strategies.S]\ngroup = 'all_or_none'\n",
            "strategies.toml [strategies.S] group: "
            "all_or_none is not built yet, expected independent or hedge_first",
        ),
        (
            "[strategies.S]\nsettling_seconds = true\n",
            "strategies.toml [strategies.S] settling_seconds: got True, expected seconds from 0 to 60",
        ),
        (
            "[strategies.S]\nsettling_seconds = 61\n",
            "strategies.toml [strategies.S] settling_seconds: got 61, expected seconds from 0 to 60",
        ),
        ("[S]\n", "strategies.toml S: unknown, expected one of default, strategies"),
        ("default = 5\n", "strategies.toml [default]: expected a table"),
    ],
)
def test_what_is_wrong_is_named_with_table_and_key(tmp_path, text, complaint):
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)
    assert [line.removeprefix(f"{tmp_path}/") for line in caught.value.problems] == [complaint]


def test_a_file_that_is_no_toml_is_named_with_its_line(tmp_path):
    with pytest.raises(SettingsError, match=r"strategies.toml: expected a TOML file: .*line 2"):
        read(tmp_path, "[default]\nexit_scope = own\n")


def test_the_example_can_be_used(tmp_path):
    settings = load_settings({"STRATEGIES_FILE": str(EXAMPLE)}, dotenv_path=None)
    policy = settings.default_client.policy
    assert policy.strategy("any") == StrategyPolicy()
    assert policy.strategy("NIFTY_SPREAD").group is GroupPolicy.HEDGE_FIRST
    assert policy.strategy("Morning screener").group is GroupPolicy.INDEPENDENT
