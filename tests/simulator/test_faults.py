"""Each fault does exactly what it says: what the broker did, and what the client could see of it."""

import threading
import time

import pytest
import requests

from broker.simulator.faults import ENDPOINTS, FaultBox, FaultKind
from tests.simulator.wire import TSYM, Wire, a_plan, an_order, resting, serving
from tests.support import ManualClock

GONE = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
EXPIRED = "Session Expired :  Invalid Session Key"


def orders(wire: Wire) -> int:
    """How many orders the broker has, whatever its book shows."""
    return len(wire.state()["orders"])


# around the call ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "taken"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_call(wire, kind, taken):
    wire.faults({"kind": kind, "endpoint": "PlaceOrder", "times": 1})
    with pytest.raises(GONE):
        wire.place()
    assert orders(wire) == taken
    wire.placed("the next one")


@pytest.mark.parametrize(("kind", "taken"), [("error_5xx_before", 0), ("error_5xx_after", 1)])
def test_an_error_of_a_proxy(wire, kind, taken):
    wire.faults({"kind": kind, "endpoint": "PlaceOrder", "status": 504})
    answer = wire.place()
    assert answer.status_code == 504 and b"<html>" in answer.content
    assert orders(wire) == taken


def test_a_truncated_answer_ends_before_its_length(wire):
    wire.faults({"kind": "truncate", "endpoint": "PlaceOrder"})
    with pytest.raises(GONE):
        wire.place()
    assert orders(wire) == 1


def test_a_truncated_answer_may_also_claim_to_be_whole(wire):
    wire.faults({"kind": "truncate", "endpoint": "PlaceOrder", "declared": "half"})
    answer = wire.place()
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert answer.status_code == 200 and orders(wire) == 1


def test_garbage(wire):
    wire.faults({"kind": "garbage", "endpoint": "PlaceOrder"})
    answer = wire.place()
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()
    assert answer.status_code == 200 and orders(wire) == 1


def test_a_late_call_is_processed_after_the_client_has_gone(wire):
    wire.faults({"kind": "late", "endpoint": "PlaceOrder", "seconds": 0.8, "times": 1})
    with pytest.raises(requests.Timeout):
        wire.post("PlaceOrder", timeout=0.1, **an_order("late"))
    assert orders(wire) == 0 and wire.book() == []
    wait_until(lambda: orders(wire) == 1)
    assert wire.book()[0]["remarks"] == "late"


def test_latency_delays_the_answer_not_the_order(wire):
    wire.faults({"kind": "latency", "endpoint": "PlaceOrder", "seconds": 0.3})
    started = time.monotonic()
    answer = threading.Thread(target=wire.placed)
    answer.start()
    wait_until(lambda: orders(Wire(wire.url)) == 1)
    answer.join()
    assert time.monotonic() - started >= 0.3


def test_a_hanging_call_is_let_go_when_the_fault_is_lifted(wire):
    wire.faults({"kind": "hang", "endpoint": "PlaceOrder"})
    hanging = threading.Thread(target=until_gone, args=(wire.place,))
    hanging.start()
    wait_until(lambda: Wire(wire.url).state()["faults"][0]["struck"] == 1)
    assert hanging.is_alive()
    Wire(wire.url).faults()
    hanging.join(5)
    assert not hanging.is_alive() and orders(wire) == 0


def test_whoever_hangs_is_let_go_at_the_end(clock):
    with serving(clock=clock, plan=a_plan({"kind": "hang", "endpoint": "OrderBook"})) as server:
        wire = Wire(server.url).login()
        hanging = threading.Thread(target=until_gone, args=(lambda: wire.post("OrderBook"),))
        hanging.start()
        wait_until(lambda: Wire(wire.url).state()["faults"][0]["struck"] == 1)
    hanging.join(5)
    assert not hanging.is_alive()


@pytest.mark.parametrize("status", [200, 400])
def test_a_refusal(wire, status):
    wire.faults({"kind": "refuse", "endpoint": "PlaceOrder", "emsg": "Rejected : no", "status": status})
    answer = wire.place()
    assert (answer.status_code, answer.json()["stat"], answer.json()["emsg"]) == (
        status,
        "Not_Ok",
        "Rejected : no",
    )
    assert orders(wire) == 0


def test_a_refusal_may_be_a_lie(wire):
    wire.faults({"kind": "refuse_after", "endpoint": "PlaceOrder"})
    assert wire.place().json()["emsg"] == "Server Timeout :  "
    assert orders(wire) == 1


def test_an_expired_session_stays_expired_until_the_next_login(wire):
    wire.faults({"kind": "expired_session", "endpoint": "PlaceOrder", "times": 1})
    assert wire.place().json()["emsg"] == EXPIRED
    assert wire.call("OrderBook")["emsg"] == EXPIRED
    assert wire.login().placed()


def test_too_many_calls_in_a_second(wire, clock):
    wire.faults({"kind": "rate_limit", "endpoint": "PlaceOrder", "per_second": 3})
    codes = [wire.place(str(n)).status_code for n in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert orders(wire) == 3
    clock.advance(1)
    assert wire.place("later").status_code == 200


def test_too_many_calls_in_a_minute_of_whatever_kind_the_refused_ones_too(wire, clock):
    wire.faults({"kind": "minute_limit", "per_minute": 3})
    assert wire.book() == []
    assert [wire.place(str(n)).json()["stat"] for n in range(2)] == ["Ok", "Ok"]
    clock.advance(59)
    text = "Invalid Input : Order Recieved 4 in a current minute exceeds Limit 3 for user"
    assert wire.call("OrderBook")["emsg"] == text
    assert [wire.place("more").json()["emsg"] for _ in range(3)] == [text] * 3
    clock.advance(1)
    assert wire.call("OrderBook")["emsg"] == text, "four were refused less than a minute ago"
    clock.advance(60)
    assert orders(wire) == 2


# orders ---------------------------------------------------------------------------------------------------------


def test_an_order_that_is_acknowledged_and_then_rejected(wire):
    wire.faults({"kind": "reject_later", "emsg": "RED:Margin Shortfall[12.5]"})
    row = wire.row(wire.placed())
    assert (row["status"], row["rejreason"]) == ("REJECTED", "RED:Margin Shortfall[12.5]")
    assert "fillshares" not in row and wire.book("PositionBook") == []


@pytest.mark.parametrize(("asked", "filled"), [({}, "25"), ({"quantity": 10}, "10")])
@pytest.mark.parametrize("order", [{}, resting(), {"prctyp": "SL-LMT", "trgprc": "110", "prc": "111"}])
def test_a_cancel_after_a_partial_fill(wire, asked, filled, order):
    wire.mark("100")
    other = wire.placed("other", **resting())
    wire.faults({"kind": "cancel_after_partial_fill", **asked})
    row = wire.row(wire.placed(**order))
    assert (row["status"], row["fillshares"]) == ("CANCELED", filled)
    assert row["prctyp"] == order.get("prctyp", "MKT")
    assert wire.book("PositionBook")[0]["netqty"] == filled
    assert wire.row(other)["status"] == "OPEN"
    wire.mark("90")
    assert wire.row(other)["status"] == "COMPLETE"


# books ----------------------------------------------------------------------------------------------------------


def test_a_lagging_book_shows_the_past(wire, clock):
    wire.mark("100")
    number = wire.placed(**resting())
    clock.advance(10)
    wire.placed("new")
    wire.call("CancelOrder", norenordno=number)
    wire.faults(
        {"kind": "lagging_book", "seconds": 5},
        {"kind": "lagging_book", "endpoint": "PositionBook", "seconds": 5},
        {"kind": "lagging_book", "endpoint": "TradeBook", "seconds": 5},
        {"kind": "lagging_book", "endpoint": "SingleOrdHist", "seconds": 5},
    )
    assert [(row["norenordno"], row["status"]) for row in wire.book()] == [(number, "OPEN")]
    assert wire.book("PositionBook") == wire.book("TradeBook") == []
    assert [row["status"] for row in wire.book("SingleOrdHist", norenordno=number)] == ["OPEN", "PENDING"]
    clock.advance(6)
    assert [row["status"] for row in wire.book()] == ["COMPLETE", "CANCELED"]
    assert wire.book("PositionBook")[0]["netqty"] == "50"


def test_a_book_that_fails_is_no_empty_book(wire):
    wire.faults({"kind": "failing_book", "status": 400})
    answer = wire.post("OrderBook")
    assert (answer.status_code, answer.json()["emsg"]) == (400, "Server Timeout :  ")
    assert wire.placed()


def test_a_book_of_open_orders_only(wire):
    wire.mark("100")
    wire.placed("filled")
    number = wire.placed("open", **resting())
    wire.faults({"kind": "open_only_book"})
    assert [row["norenordno"] for row in wire.book()] == [number]


def test_a_book_with_every_row_twice(wire):
    wire.placed()
    wire.faults({"kind": "duplicated_book"})
    first, second = wire.book()
    assert first == second


def test_a_book_in_another_order(wire):
    numbers = [wire.placed(str(n)) for n in range(8)]
    wire.faults({"kind": "reordered_book"}, seed=7)
    shuffled = [row["norenordno"] for row in wire.book()]
    assert shuffled != numbers[::-1] and sorted(shuffled) == numbers
    wire.faults({"kind": "reordered_book"}, seed=7)
    assert [row["norenordno"] for row in wire.book()] == shuffled


@pytest.mark.parametrize("others", [0, 1])
def test_a_quote_of_another_instrument(wire, others):
    wire.mark("112.5")
    (found,) = wire.call("SearchScrip", exch="NFO", stext=TSYM)["values"]
    for number in range(others):
        wire.mark("7", tsym=f"OTHER{number}")
    wire.faults({"kind": "another_quote", "times": 1})
    wrong, right = (wire.call("GetQuotes", exch="NFO", token=found["token"]) for _ in range(2))
    assert wrong["stat"] == "Ok" and wrong["token"] != found["token"] and wrong["tsym"] != TSYM
    assert wrong.keys() == right.keys() and right["token"] == found["token"]


# which calls ----------------------------------------------------------------------------------------------------


def test_a_fault_strikes_so_many_calls_after_so_many(wire):
    wire.faults({"kind": "refuse", "endpoint": "PlaceOrder", "emsg": "no", "skip": 1, "times": 2})
    assert [wire.place().json()["stat"] for _ in range(4)] == ["Ok", "Not_Ok", "Not_Ok", "Ok"]


def test_a_fault_can_be_kept_for_calls_with_certain_fields(wire):
    wire.faults(
        {"kind": "refuse", "endpoint": "PlaceOrder", "emsg": "use a limit", "only": {"prctyp": "MKT"}}
    )
    assert wire.place().json()["stat"] == "Not_Ok"
    assert wire.place(**resting()).json()["stat"] == "Ok"


def test_chance_is_seeded():
    plan = {"kind": "drop_before", "endpoint": "PlaceOrder", "probability": 0.3}

    def struck(seed: int) -> list[bool]:
        box = FaultBox(ManualClock(), a_plan(plan).model_copy(update={"seed": seed}))
        return [bool(box.strike("PlaceOrder", {})) for _ in range(1000)]

    assert struck(1) == struck(1) != struck(2)
    assert 240 < sum(struck(1)) < 360


def test_faults_add_up_when_they_are_kept(wire):
    wire.faults({"kind": "open_only_book"})
    wire.faults({"kind": "duplicated_book"}, keep=True)
    wire.mark("100")
    wire.placed()
    wire.placed(**resting())
    assert len(wire.book()) == 2
    report = requests.get(f"{wire.url}/_faults", timeout=5).json()["faults"]
    assert [(fault["kind"], fault["struck"]) for fault in report] == [
        ("open_only_book", 1),
        ("duplicated_book", 1),
    ]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "typhoon"}, "kind"),
        ({"kind": "hang", "endpoint": "Nowhere"}, "no endpoint is called Nowhere"),
        ({"kind": "hang", "wait": 3}, "wait"),
        ({"kind": "late"}, "late needs seconds"),
        ({"kind": "refuse"}, "refuse needs emsg"),
        ({"kind": "rate_limit"}, "rate_limit needs per_second"),
        ({"kind": "hang", "times": 1, "probability": 0.5}, "either times or probability"),
        ({"kind": "hang", "times": 0}, "times"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wire, fault, said):
    answer = requests.post(f"{wire.url}/_faults", json={"faults": [fault]}, timeout=5)
    assert answer.status_code == 400 and said in answer.json()["error"]


def test_every_kind_of_fault_is_known_to_the_service():
    needs = {"seconds": 1, "emsg": "no", "per_second": 1, "per_minute": 1}
    assert all(a_plan({"kind": kind, **needs}).faults[0].endpoint in {"*", *ENDPOINTS} for kind in FaultKind)


def until_gone(call) -> None:
    """A call that ends without an answer."""
    with pytest.raises(GONE):
        call()


def wait_until(holds, seconds: float = 5.0) -> None:
    """Other threads need a moment: look until it holds.

    Raises:
        TimeoutError: it never did.
    """
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError
        time.sleep(0.01)
