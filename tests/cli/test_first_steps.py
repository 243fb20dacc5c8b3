"""What a new operator types, and mistypes: it changes nothing elsewhere, and says what there is."""

import os
import shlex
import socket
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

import cli
from domain.broker_reports import PositionsSnapshot
from domain.states import Phase
from persistence.sqlite.queries.archived_orders import looking, strategies_of
from tests.cli.making import json_of
from tests.persistence.making import Maker


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# another directory -------------------------------------------------------------------------------------------

LOOKING = [["orders"], ["orders", "--frozen"], ["show", "x"], ["verify"], ["doctor"], ["replay", "x", "--reason", "y"],
           ["alert", os.devnull]]  # fmt: skip
WISHING = [["halt", "--reason", "x"], ["resume"], ["resolve", "x", "--failed", "y"], ["flatten"],
           ["adopt", "default", "TCS-EQ", "S1", "10", "--reason", "y"],
           ["cancel", "x", "--reason", "y"], ["archive", "--days", "1"]]  # fmt: skip


@pytest.mark.parametrize("command", [*LOOKING, *WISHING], ids=" ".join)
def test_a_command_typed_elsewhere_makes_no_second_installation(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "1")
    assert cli.main(command) in (1, 2)
    assert files_below(tmp_path) == []
    said = capsys.readouterr()
    if command[0] != "alert":
        assert f"{tmp_path}/data/orders.db" in said.out + said.err


def test_looking_makes_up_no_secrets_beside_a_database(maker, service, monkeypatch, capsys):
    monkeypatch.delenv("WEBHOOK_SECRET")
    maker.order("one", Phase.FILLED)
    before = {name for name in files_below(maker.path.parent) if "secret" in name}
    for command in (["orders"], ["show", "one-1"], ["verify"], ["doctor"], ["halt", "--reason", "x"]):
        assert cli.main(command) in (0, 1)
    assert before == {name for name in files_below(maker.path.parent) if "secret" in name} == set()


def test_the_doctor_says_whose_settings_and_which_database_it_looked_at(maker, service, capsys):
    folder = maker.path.parent
    cli.main(["doctor"])
    assert f"(of the environment; no .env in {folder})" in capsys.readouterr().out
    (folder / ".env").write_text("ORDERS_DB=orders.db\n")
    cli.main(["doctor"])
    shown = capsys.readouterr().out
    assert f"(of {folder}/.env and the environment)" in shown
    assert f"{folder}/orders.db opens and is migrated" in shown


def test_the_doctor_gives_a_relative_database_its_full_name(maker, service, monkeypatch, capsys):
    monkeypatch.setenv("ORDERS_DB", "orders.db")
    cli.main(["doctor"])
    assert f"{maker.path.absolute()} opens and is migrated" in capsys.readouterr().out
    monkeypatch.setenv("ORDERS_DB", "other.db")
    cli.main(["doctor"])
    assert f"{maker.path.parent}/other.db: unable to open database file" in capsys.readouterr().out


# halts -----------------------------------------------------------------------------------------------------------


def test_a_misspelt_strategy_is_halted_and_said_to_have_no_orders(maker, services, capsys):
    assert cli.main(["halt", "--strategy", "STRADDEL", "--reason", "x"]) == 0
    assert "note: no order of STRADDEL so far, nor of any other strategy" in capsys.readouterr().out
    maker.order("one", Phase.FILLED)
    assert cli.main(["halt", "--strategy", "STRADDEL", "--reason", "x"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "halted: default STRADDEL",
        "note: no order of STRADDEL so far; there is STRADDLE",
    ]
    assert cli.main(["halt", "--strategy", "STRADDLE", "--reason", "x"]) == 0
    assert "note" not in capsys.readouterr().out
    assert maker.rows("SELECT strategy_name FROM halts ORDER BY 1") == [("STRADDEL",), ("STRADDLE",)]


@pytest.mark.parametrize(
    "phase", [Phase.REGISTERED, Phase.WORKING, Phase.UNKNOWN, Phase.FILLED, Phase.BLOCKED]
)
def test_an_order_in_any_state_tells_of_its_strategy(maker: Maker, phase: Phase):
    maker.order("one", phase)
    with looking(maker.path) as connection:
        assert strategies_of(connection, "default") == ["STRADDLE"]
        assert strategies_of(connection, "other") == []


@pytest.mark.parametrize("strategy", [None, "S9", "two words", "it's", "-dash"])
def test_the_doctors_advice_lifts_the_halt_it_is_about(maker, services, service, capsys, strategy):
    services.commands.halt("default", strategy, by="cli:ann", reason="x")
    services.commands.halt("default", "ANOTHER", by="cli:ann", reason="x")
    cli.main(["doctor", "--json"])
    mine = strategy or "(all)"
    [advice] = [
        found["advice"]
        for found in json_of(capsys)
        if found["name"] == "halted" and found["text"].startswith(f"default {mine} ")
    ]
    assert cli.main(shlex.split(advice.split("`")[1])[2:]) == 0
    assert maker.rows("SELECT strategy_name FROM halts") == [("ANOTHER",)]


# one order, by the id of its alert -----------------------------------------------------------------------------


def test_an_alerts_id_finds_its_one_order(maker, capsys):
    maker.order("01KAALERT", Phase.FILLED)
    assert cli.main(["show", "01KAALERT"]) == 0
    assert "01KAALERT-1" in capsys.readouterr().out
    assert cli.main(["show", "ALERT", "--json"]) == 0
    assert json_of(capsys)["order"]["command_id"] == "01KAALERT-1"


def test_a_whole_id_is_not_taken_for_the_end_of_another(maker, capsys):
    maker.alert("ALERT", Phase.FILLED, Phase.WORKING)
    maker.order("01KAALERT", Phase.FILLED)
    assert cli.main(["show", "ALERT", "--json"]) == 0
    assert [row["command_id"] for row in json_of(capsys)] == ["ALERT-1", "ALERT-2"]


def test_an_alerts_id_lists_its_legs(maker, capsys):
    maker.alert("01KAALERT", Phase.FILLED, Phase.WORKING)
    maker.order("other", Phase.FILLED)
    for text in ("01KAALERT", "KAALERT"):
        assert cli.main(["show", text]) == 0
        _, one, two = capsys.readouterr().out.splitlines()
        assert one.endswith("01KAALERT-1") and two.endswith("01KAALERT-2")
        assert cli.main(["show", text, "--json"]) == 0
        assert [row["command_id"] for row in json_of(capsys)] == ["01KAALERT-1", "01KAALERT-2"]
    assert cli.main(["show", "01KAALERT-2", "--json"]) == 0
    assert json_of(capsys)["order"]["command_id"] == "01KAALERT-2"


def test_an_alert_with_several_legs_is_no_order_to_cancel(maker, services, capsys):
    maker.alert("01KAALERT", Phase.WORKING, Phase.WORKING)
    assert cli.main(["cancel", "01KAALERT", "--reason", "x"]) == 2
    assert "fits several orders: 01KAALERT-1, 01KAALERT-2" in capsys.readouterr().err


# a service that is not there -------------------------------------------------------------------------------------


def test_an_alert_to_a_stopped_service_is_told_in_words(maker, tmp_path, monkeypatch, capsys):
    (tmp_path / "alert.json").write_bytes(b"{}")
    monkeypatch.setenv("PORT", "1")
    assert cli.main(["alert", "alert.json"]) == 2
    expected = "orderwatch: nobody answers at http://127.0.0.1:1/webhook: is the service running?\n"
    assert capsys.readouterr().err == expected


def test_a_connection_that_breaks_off_is_not_called_a_service_that_is_not_there(
    maker, tmp_path, monkeypatch, capsys
):
    (tmp_path / "alert.json").write_bytes(b"{}")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("PORT", str(listening.getsockname()[1]))

        def take_and_hang_up() -> None:
            connection, _ = listening.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=take_and_hang_up, daemon=True)
        thread.start()
        assert cli.main(["alert", "alert.json"]) == 2
        thread.join(5)
    assert "the alert may have been taken all the same" in capsys.readouterr().err


def test_an_alert_is_not_signed_for_another_client_than_the_named_one(maker, service, tmp_path, capsys):
    (tmp_path / "alert.json").write_bytes(b"{}")
    assert cli.main(["alert", "alert.json", "--client", "bobb"]) == 2
    assert "no client 'bobb'; there is default" in capsys.readouterr().err
    assert service.posts == []


# the watcher -------------------------------------------------------------------------------------------------------


def watcher_found(capsys: pytest.CaptureFixture[str]) -> str:
    cli.main(["doctor", "--json"])
    [text] = [found["text"] for found in json_of(capsys) if found["name"] == "watcher"]
    return str(text)


def test_a_watcher_that_ended_in_order_is_not_said_never_to_have_run(maker, service, capsys):
    assert watcher_found(capsys) == "has never run"
    now = datetime.now(UTC)
    maker.store.save_positions("default", PositionsSnapshot(now, ()), now.date())
    assert watcher_found(capsys).startswith("does not run; positions were last read ")
