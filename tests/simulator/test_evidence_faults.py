"""Faults that contradict: late acceptances, positions that lie, trades and conversions by hand."""

import json
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from broker.simulator.faults import FaultBox
from tests.simulator.wire import EXCH, TSYM, USER, Wire, a_plan, an_order, serving
from tests.support import ManualClock


def net(wire: Wire, prd: str = "I") -> str | None:
    """What the position book shows; None where it shows no row."""
    rows = [row for row in wire.book("PositionBook", actid=USER) if (row["tsym"], row["prd"]) == (TSYM, prd)]
    return rows[0]["netqty"] if rows else None


def test_an_order_is_accepted_long_after_the_caller_hung_up(tmp_path: Path):
    """Both times are in the journal, and the broker says how many orders are still kept back."""
    journal = tmp_path / "journal"
    with serving(journal) as server:
        wire = Wire(server.url).login()
        wire.faults({"kind": "late_acceptance", "seconds": 0.4, "up_to": 0.5, "times": 1})
        caller = threading.Thread(target=lambda: _give_up(wire))
        caller.start()
        caller.join(5)
        assert wire.state()["orders"] == [] and wire.state()["kept_back"] == 1
        wire.faults()  # the end of the faults frees nobody: it has been received
        for _ in range(100):
            if wire.state()["orders"]:
                break
            time.sleep(0.05)
        assert [row["remarks"] for row in wire.state()["orders"]] == ["tag-1"]
        assert wire.state()["kept_back"] == 0
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    kinds = [record["kind"] for record in records if record.get("remarks") == "tag-1"]
    assert kinds[:2] == ["received", "order"]
    (received,) = [record for record in records if record["kind"] == "received"]
    assert received["uid"] == USER and 0.4 <= received["seconds"] <= 0.5


def _give_up(wire: Wire) -> None:
    with pytest.raises(Exception, match="timed out"):
        wire.post("PlaceOrder", timeout=0.1, **an_order())


def test_positions_that_are_empty_for_some_seconds():
    """Once struck, every read of that user is empty for so long; another user's are not."""
    clock = ManualClock()
    with serving(clock=clock) as server:
        wire, other = Wire(server.url).login(), Wire(server.url, user="FA2").login()
        for each in (wire, other):
            each.placed(uid=each.user, actid=each.user)
        wire.faults({"kind": "empty_book", "lasting": 8, "times": 1})
        assert [net(wire) for _ in range(3)] == [None] * 3
        assert other.book("PositionBook", actid="FA2")[0]["netqty"] == "50"
        clock.advance(7.9)
        assert net(wire) is None
        clock.advance(0.2)
        assert net(wire) == "50"
        assert wire.state()["faults"][0]["struck"] == 4


def test_a_row_that_is_missing(wire):
    wire.placed(tsym="OTHER1")
    wire.placed("tag-2")
    wire.faults({"kind": "missing_row", "draw": 0.6, "times": 1})
    assert [row["tsym"] for row in wire.book("PositionBook", actid=USER)] == ["OTHER1"]
    assert len(wire.book("PositionBook", actid=USER)) == 2


@pytest.mark.parametrize(("draw", "shown"), [(0.0, "-50"), (0.0011, "500"), (0.0021, "0")])
def test_one_wild_read(wire, draw, shown):
    wire.placed()
    wire.faults({"kind": "wild_row", "draw": draw, "times": 1})
    assert net(wire) == shown
    assert net(wire) == "50"


def test_the_seconds_of_a_lag_are_drawn_for_each_strike():
    box = FaultBox(
        ManualClock(),
        a_plan({"kind": "lagging_book", "endpoint": "PositionBook", "seconds": 3, "up_to": 6}),
    )
    seconds = {box.strike("PositionBook", {})[0].seconds for _ in range(20)}
    assert len(seconds) > 10 and all(3 <= each <= 6 for each in seconds)


def test_a_trade_by_hand_stands_in_the_book_without_a_tag(wire):
    wire.mark("100")
    wire.placed()
    wire.control("_place", uid=USER, exch=EXCH, tsym=TSYM, side="SELL", quantity="20")
    wire.control("_place", uid=USER, exch=EXCH, tsym=TSYM, side="BUY", quantity="10", price="20")
    assert net(wire) == "30"
    resting, sold, ours = wire.book()
    assert (sold["ordersource"], sold["status"], "remarks" in sold) == ("MOB", "COMPLETE", False)
    assert (resting["ordersource"], resting["status"]) == ("MOB", "OPEN")
    assert ours["ordersource"] == "API"


def test_a_converted_position_is_the_same_units_in_another_product(tmp_path: Path):
    """It keeps its price, shows in reads of the past as it was, and outlives a restart."""
    clock, journal = ManualClock(), tmp_path / "journal"
    with serving(journal, clock) as server:
        wire = Wire(server.url).login()
        wire.placed()
        clock.advance(5)
        answer = wire.control("_convert", uid=USER, exch=EXCH, tsym=TSYM)
        assert answer == {"quantity": "50"}
        assert (net(wire, "I"), net(wire, "M")) == ("0", "50")
        wire.faults({"kind": "lagging_book", "endpoint": "PositionBook", "seconds": 3})
        assert (net(wire, "I"), net(wire, "M")) == ("50", None)
    with serving(journal, clock) as server:
        wire = Wire(server.url).login()
        assert (net(wire, "I"), net(wire, "M")) == ("0", "50")
        rows = {row["prd"]: row for row in wire.book("PositionBook", actid=USER)}
        assert rows["M"]["netavgprc"] == "100.00" and rows["I"]["rpnl"] == "0.00"


def test_nothing_is_converted_where_nothing_is(wire):
    wire.placed(tsym="OTHER1")
    assert wire.control("_convert", uid=USER, exch=EXCH, tsym=TSYM) == {"quantity": "0"}
    assert net(wire, "M") is None


def test_more_seconds_than_are_allowed_are_refused():
    with pytest.raises(ValueError, match="up_to"):
        a_plan({"kind": "late", "seconds": 5, "up_to": 3})


def test_a_clock_that_moves_is_what_lasting_counts():
    clock = ManualClock()
    box = FaultBox(clock, a_plan({"kind": "empty_book", "lasting": 5, "probability": 1, "skip": 1}))
    struck = []
    for _ in range(3):
        struck.append(bool(box.strike("PositionBook", {"uid": "A"})))
        clock.at += timedelta(seconds=1)
    assert struck == [False, True, True]
