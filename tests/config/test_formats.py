"""Dialects that users describe in files: they are used, and a file that describes none stops the start by its key."""

import json
from pathlib import Path
from typing import Any

import pytest

from alerts.formats.own import UnfitFormat, own_layout
from alerts.formats.registry import DIALECTS, dialects_with
from app.settings import load_settings
from app.starting import previewer_of
from config.checking import SettingsError

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "adding-a-dialect.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config" / "formats").mkdir(parents=True)
    return tmp_path / "config" / "formats"


def fenced(language: str) -> list[str]:
    """The blocks of the guide in this language."""
    parts = GUIDE.read_text(encoding="utf-8").split(f"```{language}\n")[1:]
    return [part.split("```")[0] for part in parts]


def previewed(body: str) -> Any:
    return previewer_of(load_settings(dotenv_path=None))(body.encode())


def test_the_walk_through_works_as_it_is_written(folder: Path):
    (folder.parent / "strategies.toml").write_text(
        '[default]\nstrategy_name = "S"\nexchange = "BINANCE"\nproduct = "MIS"\n'
    )
    [table], [body, told] = fenced("toml"), fenced("json")
    assert previewed(body)["outcome"] == "rejected"
    (folder / "coinbot.toml").write_text(table)
    found = previewed(body)
    assert (found["outcome"], found["format"]) == ("orders", "coinbot")
    expected = json.loads(told)
    assert {key: found["legs"][0][key] for key in expected} == expected


def test_the_users_own_dialect_is_tried_before_the_built_in_ones_but_not_before_the_first():
    own = dialects_with([("mine", {"needs": ["ticker", "execution_type"]})])
    assert own.names == (DIALECTS.names[0], "mine", *DIALECTS.names[1:])


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("", "needs: not set, expected keys that all of its alerts have (or marks, of which one)"),
        ("needs = 5", "needs: got 5, expected a key or a list of keys"),
        ("needs = []", "needs: got a list, expected a key or a list of keys"),
        ("needs = 'a'\nnedes = 1", "nedes: unknown, did you mean needs?"),
        ("needs = 'a'\ntargets = 'yes'", "targets: got 'yes', expected true or false"),
        ("needs = 'a'\n[fields]\nsid = 'way'", "fields.sid: unknown, did you mean side?"),
        ("needs = 'a'\n[fields]\nside = 1", "fields.side: got 1, expected a key or a list of keys"),
        ("needs = 'a'\n[words]\nup = 'UP'", "words.up: got 'UP', expected BUY, SELL, EXIT, EXIT_LONG"),
        ("needs = 'a'\nwords = 1", "words: got 1, expected a table [words]"),
    ],
)
def test_a_file_that_describes_no_dialect_stops_the_start_by_its_key(
    folder: Path, table: str, complaint: str
):
    (folder / "mine.toml").write_text(table)
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv_path=None)
    assert f"config/formats/mine.toml {complaint}" in str(caught.value)


def test_everything_that_is_wrong_is_told_at_once(folder: Path):
    (folder / "one.toml").write_text("needs = 5\nmore = 1\n")
    (folder / "Two.toml").write_text("needs = 'a'\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv_path=None)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("name", ["native", "usual-fields", "unknown", "UPPER", "a b", ""])
def test_a_name_that_is_taken_or_fits_no_path_is_refused(name: str):
    with pytest.raises(UnfitFormat, match="expected a file name of its own"):
        own_layout(name, {"needs": ["a"]}, DIALECTS.names)


def test_what_would_have_no_effect_is_named_and_examples_are_left_alone(folder: Path):
    (folder / "notes.md").write_text("x")
    (folder / "x.example.toml").write_text("needs = 5")
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv_path=None)
    assert caught.value.problems == ("config/formats/notes.md: expected a file that ends with .toml",)


def test_a_folder_that_is_not_there_is_named_where_it_was_asked_for(folder: Path):
    with pytest.raises(SettingsError, match="FORMATS_DIR"):
        load_settings({"FORMATS_DIR": "elsewhere"}, dotenv_path=None)
