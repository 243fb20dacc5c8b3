"""What was acknowledged is in the journal, outlives a kill, and can be judged by somebody else."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from tests.simulator.wire import TSYM, USER, Wire, resting, serving

ROOT = Path(__file__).resolve().parents[2]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def of_kind(path: Path, *kinds: str) -> list[dict]:
    return [line for line in lines(path) if line["kind"] in kinds]


def everything(wire: Wire) -> list:
    """All that a client can read."""
    histories = [wire.book("SingleOrdHist", norenordno=row["norenordno"]) for row in wire.book()]
    quotes = [wire.call("GetQuotes", exch="NFO", token=found["token"]) for found in searched(wire)]
    for quote in quotes:
        del quote["request_time"]
    return [wire.book(), wire.book("TradeBook"), wire.book("PositionBook"), histories, quotes]


def searched(wire: Wire) -> list[dict]:
    return list(wire.call("SearchScrip", exch="NFO", stext=TSYM)["values"])


def test_an_order_its_fill_and_its_refusals_are_lines(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    with serving(path) as server:
        wire = Wire(server.url).login()
        wire.mark("112.5")
        number = wire.placed("ow1")
        wire.place("ow2", qty="0")
    (order,) = of_kind(path, "order")
    assert (order["norenordno"], order["remarks"], order["uid"], order["tsym"]) == (number, "ow1", USER, TSYM)
    assert order["at"].endswith("Z")
    (fill,) = of_kind(path, "fill")
    assert (fill["norenordno"], fill["flqty"], fill["flprc"], fill["status"]) == (
        number,
        "50",
        "112.5",
        "COMPLETE",
    )
    (refused,) = of_kind(path, "refused")
    assert (refused["remarks"], refused["emsg"]) == ("ow2", "Invalid Input : qty")


def test_only_processed_orders_are_lines(tmp_path):
    path = tmp_path / "journal.jsonl"
    with serving(path) as server:
        wire = Wire(server.url).login()
        wire.faults(
            {"kind": "drop_before", "endpoint": "PlaceOrder", "only": {"remarks": "before"}},
            {"kind": "drop_after", "endpoint": "PlaceOrder", "only": {"remarks": "after"}},
        )
        for remarks in ("before", "after"):
            with pytest.raises(requests.ConnectionError):
                wire.place(remarks)
    assert [line["remarks"] for line in of_kind(path, "order")] == ["after"]


def test_a_restart_keeps_the_book_the_session_and_the_marks(tmp_path):
    path = tmp_path / "journal.jsonl"
    with serving(path) as server:
        wire = Wire(server.url).login()
        wire.mark("100", ls="75")
        filled, open_ = wire.placed("filled"), wire.placed("open", **resting())
        stop = wire.placed("stop", trantype="S", prctyp="SL-LMT", trgprc="80", prc="79.5")
        cancelled = wire.placed("cancelled", **resting())
        wire.call("CancelOrder", norenordno=cancelled)
        wire.call("ModifyOrder", norenordno=open_, prctyp="LMT", prc="91", qty="60", exch="NFO", tsym=TSYM)
        wire.mark("91", "15")
        before, key = everything(wire), wire.key
    with serving(path) as server:
        wire = Wire(server.url)
        wire.key = key
        assert everything(wire) == before
        assert wire.row(open_)["fillshares"] == "15"
        wire.mark("79.5")
        assert [wire.row(n)["status"] for n in (open_, stop, cancelled, filled)] == [
            "COMPLETE",
            "COMPLETE",
            "CANCELED",
            "COMPLETE",
        ]
        assert wire.placed("new") not in {filled, open_, stop, cancelled}
        assert len({line["flid"] for line in of_kind(path, "fill")}) == len(of_kind(path, "fill"))


def test_a_session_that_was_ended_stays_ended(tmp_path):
    path = tmp_path / "journal.jsonl"
    with serving(path) as server:
        wire = Wire(server.url).login()
        wire.call("Logout")
        key = wire.key
    with serving(path) as server:
        wire = Wire(server.url)
        wire.key = key
        assert "Session Expired" in wire.call("OrderBook")["emsg"]


def test_a_line_that_was_cut_short_is_taken_off(tmp_path):
    path = tmp_path / "journal.jsonl"
    with serving(path) as server:
        Wire(server.url).login().placed("whole")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"order","at')
    with serving(path) as server:
        wire = Wire(server.url).login()
        wire.placed("next")
        assert [row["remarks"] for row in wire.book()] == ["next", "whole"]
    assert path.read_bytes().startswith(whole)


def test_what_was_acknowledged_outlives_a_kill(tmp_path):
    path = tmp_path / "journal.jsonl"
    process, url = started(path)
    acknowledged: list[str] = []

    def trade() -> None:
        wire = Wire(url).login()
        try:
            while True:
                acknowledged.append(wire.placed(f"tag-{len(acknowledged)}", qty="1"))
                if len(acknowledged) == 50:
                    os.kill(process.pid, signal.SIGKILL)
        except requests.RequestException:
            pass

    trader = threading.Thread(target=trade)
    trader.start()
    trader.join(30)
    process.wait(10)
    process, url = started(path)
    try:
        rows = Wire(url).login().book()
    finally:
        process.terminate()
        assert process.wait(10) == 0
    assert len(acknowledged) >= 50
    assert set(acknowledged) <= {row["norenordno"] for row in rows}
    assert {row["norenordno"] for row in rows} == {line["norenordno"] for line in of_kind(path, "order")}
    assert all(row["status"] == "COMPLETE" for row in rows)


def test_the_process_takes_faults_and_accounts_from_files(tmp_path):
    faults, accounts = tmp_path / "faults.json", tmp_path / "accounts.json"
    faults.write_text('{"faults": [{"kind": "refuse", "endpoint": "Limits", "emsg": "not today"}]}')
    accounts.write_text(json.dumps({USER: {"access_token": "known"}}))
    process, url = started(
        tmp_path / "journal.jsonl", "--faults", faults, "--accounts", accounts, "--not-ok-status", "400"
    )
    try:
        answer = Wire(url).post("Limits", era="NorenWClientAPI", headers={"Authorization": "Bearer known"})
    finally:
        process.terminate()
        process.wait(10)
    assert (answer.status_code, answer.json()["emsg"]) == (400, "not today")


@pytest.mark.parametrize(("options", "stat"), [((), "Not_Ok"), (("--market-orders",), "Ok")])
def test_the_process_takes_market_orders_when_it_is_told_to(tmp_path, options, stat):
    process, url = started(tmp_path / "journal.jsonl", *options, market_orders=False)
    try:
        assert Wire(url).login().place().json()["stat"] == stat
    finally:
        process.terminate()
        process.wait(10)


def started(journal: Path, *options: object, market_orders: bool = True) -> tuple[subprocess.Popen, str]:
    """A simulator in a process of its own, and where it is."""
    command = [sys.executable, "-m", "broker.simulator", "--port", "0", "--journal", journal, *options]
    command += ["--market-orders"] if market_orders else []
    process = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]
