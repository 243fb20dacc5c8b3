"""Lists are loaded, names found and masters shown by command; a dry run shows what a name becomes."""

import json
import os
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

import cli
from tests.cli.making import json_of
from tests.listed import EXAMPLE

CASH = "NSE_symbols.txt"


@pytest.fixture
def lists(maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped lists, fresh from today."""
    folder = tmp_path / "lists"
    shutil.copytree(EXAMPLE, folder, copy_function=shutil.copyfile)
    monkeypatch.setenv("INSTRUMENTS_DIR", str(folder))
    return folder


def test_lists_are_loaded_and_what_cannot_be_read_is_told(lists, capsys):
    assert cli.main(["instruments", "load"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("loaded: 400 instruments of paper, of ")
    assert "2 rows cannot be read and were left out" in said
    assert "NFO_symbols.txt line 2: tradingsymbol: expected a text, got none" in said


def test_a_name_is_found_or_refused_with_what_there_is(lists, capsys):
    cli.main(["instruments", "load"])
    capsys.readouterr()
    assert cli.main(["instruments", "find", "NSE:M_M", "--json"]) == 0
    [found] = json_of(capsys)["instruments"]
    assert (found["symbol"], found["lot"], found["tick"]) == ("M&M-EQ", "1", "0.1")
    assert cli.main(["instruments", "find", "NIFTY"]) == 1
    assert "VALIDATION_FAILED:INSTRUMENT_NOT_TRADABLE" in capsys.readouterr().out


def test_masters_are_shown(lists, capsys):
    assert cli.main(["instruments", "show"]) == 0
    assert "no master was loaded" in capsys.readouterr().out
    cli.main(["instruments", "load"])
    capsys.readouterr()
    assert cli.main(["instruments", "show", "--json"]) == 0
    [row] = json_of(capsys)
    assert (row["broker"], row["rows"], row["unreadable"]) == ("paper", 400, 2)


def test_a_list_that_lost_its_rows_is_not_taken_into_use(lists, capsys):
    cli.main(["instruments", "load"])
    whole = (lists / CASH).read_text().splitlines()
    (lists / CASH).write_text("\n".join(whole[:10]) + "\n")
    assert cli.main(["instruments", "load"]) == 2
    assert "NSE: 9 rows, 37 before" in capsys.readouterr().err
    assert cli.main(["instruments", "find", "INFY"]) == 0  # by the master before
    assert cli.main(["instruments", "load", "--shrunk-too"]) == 0
    assert cli.main(["instruments", "find", "WIPRO"]) == 1


def test_the_oldest_list_says_of_when_the_master_is(lists, capsys):
    at = datetime(2026, 11, 27, 4, 0, tzinfo=UTC).timestamp()
    os.utime(lists / CASH, (at, at))
    assert cli.main(["instruments", "load"]) == 0
    assert "of paper, of 2026-11-27" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["load", "--broker", "zebu", "--folder", "nowhere"], "no list of zebu"),
        (["load", "--broker", "../x"], "no broker '../x'; there is paper, shoonya"),
        (["find", "INFY"], "instruments load"),
        (["load", "--folder", "."], "no list of a client's broker"),
    ],
)
def test_what_is_not_there_is_one_clear_line(lists, capsys, arguments, complaint):
    assert cli.main(["instruments", *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_a_dry_run_shows_what_a_name_becomes(lists, tmp_path, capsys):
    cli.main(["instruments", "load"])
    capsys.readouterr()
    body = {"ticker": "NSE:BAJAJ_AUTO", "action": "buy", "quantity": 4, "product": "MIS", "strategy": "S"}
    (tmp_path / "a.json").write_text(json.dumps(body))
    assert cli.main(["alert", "a.json", "--dry-run"]) == 0
    [leg] = json_of(capsys)["legs"]
    assert (leg["exchange"], leg["symbol"]) == ("NSE", "BAJAJ-AUTO-EQ")
    assert leg["instrument"] == {
        "asked": "NSE BAJAJ_AUTO", "exchange": "NSE", "symbol": "BAJAJ-AUTO-EQ", "kind": "EQ",
        "underlying": "BAJAJ-AUTO", "expiry": None, "strike": None, "lot": 1, "tick": "0.5",
        "freeze": None, "multiplier": None, "refused": None,
        "notes": ["NSE BAJAJ_AUTO is NSE BAJAJ-AUTO-EQ"],
    }  # fmt: skip


def test_a_dry_run_names_the_leg_that_would_be_blocked(lists, tmp_path, capsys):
    cli.main(["instruments", "load"])
    capsys.readouterr()
    body = {"ticker": "NSE:NIFTY", "action": "buy", "quantity": 4, "product": "MIS", "strategy": "S"}
    (tmp_path / "a.json").write_text(json.dumps(body))
    assert cli.main(["alert", "a.json", "--dry-run"]) == 0
    told = json_of(capsys)
    assert [(each["leg"], each["tag"]) for each in told["blocked"]] == [
        (1, "VALIDATION_FAILED:INSTRUMENT_NOT_TRADABLE")
    ]
    assert told["legs"][0]["instrument"]["refused"].startswith("NIFTY names no contract")


@pytest.mark.parametrize(("age", "health"), [(0, "OK"), (1, "WARN"), (5, "FAIL")])
def test_the_doctor_says_of_when_the_lists_are(lists, capsys, age, health):
    at = time.time() - age * 86_400
    for each in lists.iterdir():
        os.utime(each, (at, at))
    for expected in ("FAIL", health):  # before anything was loaded, and after
        cli.main(["doctor", "--json"])
        [found] = [each for each in json_of(capsys) if each["name"] == "instruments paper"]
        assert found["health"] == expected
        cli.main(["instruments", "load"])
        capsys.readouterr()


def test_without_lists_names_are_traded_as_they_come(maker, tmp_path, capsys):
    body = {"ticker": "NSE:NIFTY", "action": "buy", "quantity": 4, "product": "MIS", "strategy": "S"}
    (tmp_path / "a.json").write_text(json.dumps(body))
    assert cli.main(["alert", "a.json", "--dry-run"]) == 0
    [leg] = json_of(capsys)["legs"]
    assert (leg["symbol"], leg["instrument"]) == ("NIFTY", None)
