"""`cli.py rebind`, and what the doctor says of a client whose rows are another account's."""

import pytest

import cli
from domain.account import BrokerAccount
from domain.states import Phase
from tests.cli.making import json_of
from tests.persistence.making import Maker

PAPER, REAL = BrokerAccount("paper", "default"), BrokerAccount("shoonya", "FA1")


@pytest.fixture
def rows_of_the_real_account(maker: Maker, services: object) -> Maker:
    """The settings name the paper broker."""
    maker.store.write(lambda tx: tx.bind_account("default", REAL))
    maker.order("held", Phase.FILLED)
    assert maker.store.holdings("default")
    return maker


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("builtins.input", lambda question: text)


def test_a_client_is_rebound_to_what_the_settings_name(rows_of_the_real_account, capsys):
    maker = rows_of_the_real_account
    assert cli.main(["rebind", "default", "--yes"]) == 0
    assert capsys.readouterr().out == (
        "the rows of default were those of FA1 at shoonya and are those of default at paper from now on\n"
    )
    assert maker.store.account("default") == PAPER
    assert maker.store.holdings("default") == []
    assert maker.rows("SELECT status FROM orders") == [("EXECUTED",)]
    assert maker.rows("SELECT kind FROM telegram_messages ORDER BY id DESC LIMIT 1") == [("SYSTEM",)]


@pytest.mark.parametrize(("typed", "code", "after"), [("y", 0, PAPER), ("n", 1, REAL), ("", 1, REAL)])
def test_it_asks_first(rows_of_the_real_account, monkeypatch, typed, code, after):
    answer(monkeypatch, typed)
    assert cli.main(["rebind", "default"]) == code
    assert rows_of_the_real_account.store.account("default") == after
    assert bool(rows_of_the_real_account.store.holdings("default")) is (after == REAL)


def test_it_is_refused_while_orders_have_not_ended(rows_of_the_real_account, capsys):
    maker = rows_of_the_real_account
    maker.order("open", Phase.WORKING)
    assert cli.main(["rebind", "default", "--yes"]) == 2
    error = capsys.readouterr().err
    assert "default has orders that have not ended: open-1 (SENT_TO_BROKER/WORKING)" in error
    assert maker.store.account("default") == REAL and maker.store.holdings("default")


def test_there_may_be_nothing_to_rebind(maker, services, capsys):
    assert cli.main(["rebind", "nobody", "--yes"]) == 2
    assert "no client 'nobody'" in capsys.readouterr().err
    assert cli.main(["rebind", "default", "--yes"]) == 2
    assert "no watcher has seen an account of default yet" in capsys.readouterr().err
    maker.store.write(lambda tx: tx.bind_account("default", PAPER))
    assert cli.main(["rebind", "default", "--yes"]) == 2
    assert "those of default at paper already" in capsys.readouterr().err


def account_finding(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    cli.main(["doctor", "--json"])
    [found] = [each for each in json_of(capsys) if each["name"] == "account of default"]
    return found


def test_the_doctor_says_whose_the_rows_are(maker, capsys, monkeypatch):
    monkeypatch.setenv("PORT", "1")
    assert "no watcher has read it yet" in account_finding(capsys)["text"]
    maker.store.save_read_error("default", maker.clock.now(), "502")
    assert "no watcher has read it yet" in account_finding(capsys)["text"]
    maker.store.write(lambda tx: tx.bind_account("default", PAPER))
    found = account_finding(capsys)
    assert (found["health"], found["text"]) == ("OK", "default at paper, whose the rows are")


def test_the_doctor_finds_rows_of_another_account_and_says_what_to_do(
    rows_of_the_real_account, capsys, monkeypatch
):
    monkeypatch.setenv("PORT", "1")
    found = account_finding(capsys)
    assert found["health"] == "FAIL"
    for part in (str(REAL), str(PAPER), "nothing is sent"):
        assert part in found["text"]
    for part in ("ORDERS_DB", "cli.py rebind default"):
        assert part in found["advice"]


def test_the_doctor_looks_at_a_database_of_the_version_before(maker, capsys, monkeypatch):
    monkeypatch.setenv("PORT", "1")
    maker.store.save_read_error("default", maker.clock.now(), "502")
    maker.sql(
        "ALTER TABLE accounts DROP COLUMN broker",
        "ALTER TABLE accounts DROP COLUMN broker_user",
        "DELETE FROM _sqlite_migrations WHERE name = 'accounts_remembered'",
    )
    cli.main(["doctor", "--json"])
    found = {each["name"]: each["text"] for each in json_of(capsys)}
    assert found["database"] == "not migrated: accounts_remembered"
