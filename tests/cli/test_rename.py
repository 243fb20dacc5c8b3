"""`cli.py rebind OLD NEW`, and what the doctor says of clients that are not configured."""

import pytest

import cli
from domain.account import BrokerAccount
from domain.states import Phase
from tests.cli.making import json_of, order_of
from tests.persistence.making import Maker


@pytest.fixture
def renamed(maker: Maker, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Maker:
    """`default` was renamed to `alice` in the settings; both are the account FA1 at shoonya."""
    for name, value in {
        "CLIENT_ID": "alice",
        "BROKER": "shoonya",
        "SHOONYA_API_URL": "http://127.0.0.1:9",
        "SHOONYA_USER_ID": "FA1",
        "SHOONYA_ACCESS_TOKEN": "t",
        "CONSOLE_TOKEN": "a-token-that-is-mine",
    }.items():
        monkeypatch.setenv(name, value)
    services = request.getfixturevalue("services")
    services.clock = maker.clock
    maker.store.write(lambda tx: tx.bind_account("default", BrokerAccount("shoonya", "FA1")))
    maker.order("resting", Phase.WORKING)
    return maker


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    cli.main(["doctor", "--json"])
    return {each["name"]: each for each in json_of(capsys)}


def test_the_rows_of_a_renamed_client_are_moved(renamed, capsys):
    assert cli.main(["rebind", "default", "alice", "--yes"]) == 0
    assert capsys.readouterr().out == "1 orders and 0 holdings of default are those of alice from now on\n"
    assert order_of(renamed, "resting-1").client_id == "alice"
    assert cli.main(["verify"]) == 0


@pytest.mark.parametrize(("typed", "client"), [("y", "alice"), ("n", "default")])
def test_it_asks_first(renamed, monkeypatch, typed, client):
    monkeypatch.setattr("builtins.input", lambda question: typed)
    assert cli.main(["rebind", "default", "alice"]) == (0 if client == "alice" else 1)
    assert order_of(renamed, "resting-1").client_id == client


def test_what_it_refuses(renamed, monkeypatch, capsys):
    assert cli.main(["rebind", "alice", "default", "--yes"]) == 2
    assert "alice is configured: take it out of the settings" in capsys.readouterr().err
    assert cli.main(["rebind", "default", "bob", "--yes"]) == 2
    assert "no client 'bob'" in capsys.readouterr().err
    renamed.sql("UPDATE accounts SET broker_user = 'FA2'")
    assert cli.main(["rebind", "default", "alice", "--yes"]) == 2
    assert "rows move only within one account" in capsys.readouterr().err


def test_nothing_is_moved_while_a_watcher_serves_the_old_id(renamed, capsys):
    renamed.store.claimants.enter("w")
    renamed.sql(
        "INSERT INTO heartbeats VALUES ('w', 'reconcile', 'default', '2026-11-21T00:00:00.000000Z', 'OK', '', '{}')"
    )
    assert cli.main(["rebind", "default", "alice", "--yes"]) == 2
    assert "a watcher still serves default (w)" in capsys.readouterr().err
    renamed.store.claimants.leave("w")
    assert cli.main(["rebind", "default", "alice", "--yes"]) == 0


def test_the_doctor_shows_what_nobody_serves(renamed, capsys):
    found = findings(capsys)
    client, account = found["client default"], found["account of alice"]
    assert client["health"] == "FAIL" and "1 order at the broker" in client["text"]
    assert "`python cli.py rebind default alice`" in client["advice"]
    assert account["health"] == "FAIL" and "rebind default alice" in account["advice"]
    cli.main(["rebind", "default", "alice", "--yes"])
    capsys.readouterr()
    found = findings(capsys)
    assert "client default" not in found and found["account of alice"]["health"] == "OK"
