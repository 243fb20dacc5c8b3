"""What Alpaca's books say, and what is never guessed of them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs

import pytest

from broker.alpaca.order_pages import PAGE, day_began, pages_of
from broker.alpaca.parsing import time_in
from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderRef
from domain.enums import Side
from domain.errors import ReadFailed
from tests.broker.alpaca.making import ID, NUMBER, TAG, account_row, make, order_row, position_row
from tests.broker.alpaca.stub import BY_OUR_ID, fails
from tests.contract.broker_contract import EXCHANGE, PRODUCT
from tests.contract.http_stub import hangs_up, says

ORDERS, POSITIONS, ACCOUNT = "GET v2/orders", "GET v2/positions", "GET v2/account"
OTHER = "0f9e0d1e-5b7a-4a52-9c2e-777777777777"
ENDED = ("filled", "canceled", "expired", "rejected")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("new", BrokerStatus.OPEN),
        ("NEW", BrokerStatus.OPEN),
        ("partially_filled", BrokerStatus.OPEN),
        ("done_for_day", BrokerStatus.OPEN),
        ("pending_cancel", BrokerStatus.OPEN),
        ("pending_replace", BrokerStatus.OPEN),
        ("stopped", BrokerStatus.OPEN),
        ("suspended", BrokerStatus.OPEN),
        ("calculated", BrokerStatus.OPEN),
        ("accepted", BrokerStatus.PENDING),
        ("pending_new", BrokerStatus.PENDING),
        ("accepted_for_bidding", BrokerStatus.PENDING),
        ("held", BrokerStatus.PENDING),
        ("pending_review", BrokerStatus.PENDING),
        ("filled", BrokerStatus.COMPLETE),
        ("canceled", BrokerStatus.CANCELLED),
        ("expired", BrokerStatus.EXPIRED),
        ("rejected", BrokerStatus.REJECTED),
        ("replaced", BrokerStatus.UNRECOGNISED),
        ("cancelled", BrokerStatus.UNRECOGNISED),
        ("brand_new", BrokerStatus.UNRECOGNISED),
        ("", BrokerStatus.UNRECOGNISED),
    ],
)
def test_a_status_that_is_not_known_is_no_end(broker, stub, word, status):
    stub.tell(ORDERS, says([order_row(status=word, filled_qty="50", filled_avg_price="112.4")]))
    (report,) = broker.read_book([]).reports
    assert (report.status, report.has_ended) == (status, word in ENDED)


def test_a_stop_waits_for_its_trigger_until_it_is_filled(broker, stub):
    for word, status in (("new", "TRIGGER_PENDING"), ("held", "TRIGGER_PENDING"), ("filled", "COMPLETE")):
        stub.tell(ORDERS, says([order_row(type="stop", status=word, filled_qty="50")]))
        assert broker.read_book([]).reports[0].status == status


def test_a_row_is_read_with_its_fractions_and_its_time(broker, stub):
    row = order_row(
        status="partially_filled", qty="1.5", filled_qty="0.123456789", filled_avg_price="112.3512"
    )
    stub.tell(ORDERS, says([row]))
    (report,) = broker.read_book([]).reports
    assert (report.quantity, report.filled_quantity) == (Decimal("1.5"), Decimal("0.123456789"))
    assert (report.average_price, report.side) == (Decimal("112.3512"), Side.BUY)
    assert (report.client_order_id, report.exchange, report.symbol) == (TAG, EXCHANGE, "AAPL")
    assert report.reported_at == datetime(2026, 11, 20, 4, 0, 6, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T04:00:05Z", datetime(2026, 11, 20, 4, 0, 5, tzinfo=UTC)),
        ("2026-11-20T04:00:05.5Z", datetime(2026, 11, 20, 4, 0, 5, 500_000, tzinfo=UTC)),
        ("2026-11-19T23:00:05.123456789-05:00", datetime(2026, 11, 20, 4, 0, 5, 123456, tzinfo=UTC)),
        ("2026-11-20T04:00:05", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_is_read_to_the_microsecond(text, expected):
    assert time_in({"at": text}, "at") == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": "5,0"},
        {"qty": None},
        {"qty": None, "notional": "500"},
        {
            "filled_qty": ...
        },  # nothing filled, or not told: an order that was cancelled after a fill has units
        {"filled_qty": None},
        {"symbol": ""},
        {"side": ""},
        {"id": None},
    ],
)
def test_a_row_that_cannot_be_read_hides_its_own_order_alone(broker, stub, changes):
    stub.tell(ORDERS, says([order_row(**changes), order_row(id=OTHER, client_order_id="other")]))
    book = broker.read_book([])
    assert book.complete and [report.broker_order_id for report in book.reports] == [OTHER]
    assert book.hides(OrderRef(TAG, None), EXCHANGE, "AAPL") is not None
    assert book.hides(OrderRef("never", None), EXCHANGE, "MSFT") is None


def test_a_filled_order_for_an_amount_of_money_has_the_quantity_that_was_filled(broker, stub):
    stub.tell(ORDERS, says([order_row(qty=None, notional="500", status="filled", filled_qty="2.41")]))
    (report,) = broker.read_book([]).reports
    assert (report.quantity, report.filled_quantity) == (Decimal("2.41"), Decimal("2.41"))


@pytest.mark.parametrize("answer", [says({}), says(b"null"), says(b"", 204), says({"orders": []}), hangs_up])
def test_only_a_list_says_that_a_book_is_empty(broker, stub, answer):
    for address, read in ((ORDERS, lambda: broker.read_book([])), (POSITIONS, broker.read_positions)):
        stub.tell(address, answer)
        with pytest.raises(ReadFailed):
            read()


# orders that were replaced --------------------------------------------------------------------------------------


def test_a_replaced_order_is_followed_under_its_first_number(broker, stub):
    first = order_row(status="replaced", replaced_by=OTHER)
    then = order_row(id=OTHER, client_order_id="theirs", qty="40", status="filled", filled_qty="40")
    stub.tell(ORDERS, says([then, first]))
    book = broker.read_book([])
    assert book.by_id.keys() == {ID}  # both are one order: its units would count twice
    report = book.by_id[ID]
    assert (report.broker_order_id, report.client_order_id) == (ID, TAG)
    assert (report.status, report.quantity, report.filled_quantity) == (BrokerStatus.COMPLETE, 40, 40)


def test_an_order_that_is_just_being_replaced_is_one(broker, stub):
    first = order_row(status="pending_replace")
    then = order_row(id=OTHER, client_order_id="theirs", status="accepted", replaces=ID)
    stub.tell(ORDERS, says([then, first]))
    (report,) = broker.read_book([]).reports
    assert (report.broker_order_id, report.status) == (ID, BrokerStatus.OPEN)


def test_what_went_on_for_an_older_order_is_asked_for_too(broker, stub):
    stub.tell(f"GET v2/orders/{ID}", says(order_row(status="replaced", replaced_by=OTHER)))
    stub.tell(f"GET v2/orders/{OTHER}", says(order_row(id=OTHER, client_order_id="theirs", limit_price="99")))
    book = broker.read_book([OrderRef(TAG, ID)])
    assert book.complete and [each.broker_order_id for each in book.reports] == [ID]
    assert book.by_id[ID].status is BrokerStatus.OPEN


def test_a_part_that_was_filled_before_it_was_replaced_is_not_counted_by_guessing(broker, stub):
    first = order_row(status="replaced", replaced_by=OTHER, filled_qty="10", filled_avg_price="112")
    then = order_row(id=OTHER, client_order_id="theirs", status="filled", filled_qty="50")
    stub.tell(ORDERS, says([then, first]))
    book = broker.read_book([])
    assert OTHER in book.by_id[ID].contradiction and book.by_id[ID].filled_quantity == 10
    assert book.by_id.keys() == {ID, OTHER}


@pytest.mark.parametrize("replaced_by", [OTHER, ID, None])
def test_a_replaced_order_without_its_successor_decides_nothing(broker, stub, replaced_by):
    stub.tell(ORDERS, says([order_row(status="replaced", replaced_by=replaced_by)]))
    assert broker.read_book([]).by_id[ID].status is BrokerStatus.UNRECOGNISED


# the whole book -------------------------------------------------------------------------------------------------


class Orders:
    """A broker's orders, answered page by page; `inclusive`: whether a bound itself is among them."""

    def __init__(self, times, *, inclusive: bool) -> None:
        self.rows = [
            {"id": str(number), "submitted_at": f"{at:%Y-%m-%dT%H:%M:%S.%f}789Z"}
            for number, at in enumerate(times)
        ]
        self.inclusive = inclusive
        self.asked: list[dict[str, list[str]]] = []

    def __call__(self, query: str):
        asked = parse_qs(query)
        self.asked.append(asked)
        assert asked["status"] == ["all"] and asked["limit"] == [str(PAGE)]
        rows = sorted(self.rows, key=lambda row: row["submitted_at"], reverse=True)
        if "until" in asked:
            bound = datetime.fromisoformat(asked["until"][0])
            at = [(row, time_in(row, "submitted_at")) for row in rows]
            rows = [
                row
                for row, when in at
                if when is not None and (when < bound or (self.inclusive and when == bound))
            ]
        return rows[:PAGE]


START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("number", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 7])
def test_every_order_is_in_the_book_once_however_many_pages_it_has(number, inclusive):
    orders = Orders(
        [START + timedelta(microseconds=each // 3) for each in range(number)], inclusive=inclusive
    )
    rows, complete = pages_of(orders, START)
    assert complete and sorted(row["id"] for row in rows) == sorted(row["id"] for row in orders.rows)


def test_more_orders_of_one_instant_than_a_page_has_are_no_whole_book():
    rows, complete = pages_of(Orders([START] * (PAGE + 1), inclusive=True), START)
    assert not complete and len(rows) == PAGE


def test_the_book_begins_with_new_yorks_day(broker, stub, clock):
    clock.at = datetime(2026, 11, 20, 4, 59, tzinfo=UTC)  # one minute before midnight there
    assert broker.read_book([]).covers_from == datetime(2026, 11, 19, 5, tzinfo=UTC)
    assert day_began(datetime(2026, 7, 20, 4, 0, tzinfo=UTC)) == datetime(2026, 7, 20, 4, tzinfo=UTC)
    query = parse_qs(stub.made("GET")[-1].path.partition("?")[2])
    assert query["after"] == ["2026-11-19T04:59:59.999999Z"] and query["status"] == ["all"]


def test_an_order_that_is_older_than_the_day_is_asked_for(broker, stub):
    stub.tell(f"GET v2/orders/{ID}", says(order_row(status="accepted")))
    stub.tell(BY_OUR_ID, says(order_row(id=OTHER, client_order_id="late")))
    book = broker.read_book([OrderRef(TAG, ID), OrderRef("late", None)])
    assert book.complete and book.by_id.keys() == {ID, OTHER}


@pytest.mark.parametrize("answer", [hangs_up, fails(500, 50010000, "down"), says([])])
def test_a_book_is_not_whole_where_an_older_order_could_not_be_asked_for(broker, stub, answer):
    stub.tell(f"GET v2/orders/{ID}", answer)
    assert not broker.read_book([OrderRef(TAG, ID)]).complete


def test_a_book_is_not_whole_where_more_orders_are_missing_than_are_asked_for(broker, stub):
    wanted = [OrderRef(f"tag{number}", None) for number in range(9)]
    assert not broker.read_book(wanted).complete
    assert broker.read_book(wanted[:8]).complete  # that they are not found is an answer


# positions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "net"),
    [
        ({}, "1.5"),
        ({"qty": "-10", "side": "short"}, "-10"),
        ({"qty": "10", "side": "short"}, "-10"),
        ({"qty": "0.000000001"}, "0.000000001"),
    ],
)
def test_a_position_has_its_side(broker, stub, changes, net):
    stub.tell(POSITIONS, says([position_row(**changes)]))
    snapshot = broker.read_positions()
    assert snapshot.net(EXCHANGE, "AAPL", PRODUCT) == Decimal(net)
    (position, *_) = snapshot.positions
    assert (position.average_price, position.last_price) == (Decimal("187.3"), Decimal("207.3"))


@pytest.mark.parametrize(
    "changes",
    [
        {"qty": "many"},
        {"qty": ...},
        {"side": ...},
        {"side": "both"},
        {"qty": "-1", "side": "long"},
        {"unrealized_intraday_pl": None},
    ],
)
def test_a_position_that_cannot_be_read_is_unknown_and_not_flat(broker, stub, changes):
    stub.tell(POSITIONS, says([position_row(**changes)]))
    snapshot = broker.read_positions()
    assert not snapshot.is_readable(EXCHANGE, "AAPL", PRODUCT) and snapshot.day_pnl is None
    assert snapshot.is_readable(EXCHANGE, "MSFT", PRODUCT)


def test_the_days_result_is_the_accounts_and_what_was_closed_is_flat(broker, stub):
    stub.tell(POSITIONS, says([position_row(unrealized_intraday_pl="2.25")]))
    stub.tell(ACCOUNT, says(account_row(equity="100050.75", last_equity="100100.50")))
    snapshot = broker.read_positions()
    assert snapshot.day_pnl == Decimal("-49.75")
    assert [p.net_quantity for p in snapshot.positions if p.symbol != "AAPL"] == [0]


@pytest.mark.parametrize("answer", [hangs_up, says({"account_number": NUMBER}), says([])])
def test_a_result_that_cannot_be_read_is_not_known_and_the_positions_are(broker, stub, answer):
    broker._session.key()
    stub.tell(POSITIONS, says([position_row()]))
    stub.tell(ACCOUNT, answer)
    snapshot = broker.read_positions()
    assert snapshot.day_pnl is None and snapshot.is_readable(EXCHANGE, "AAPL", PRODUCT)
    assert snapshot.is_readable(EXCHANGE, "MSFT", PRODUCT)


def test_an_exit_waits_for_no_result(broker, stub):
    broker._session.key()
    stub.tell(ACCOUNT, hangs_up)
    stub.tell(POSITIONS, says([position_row()]))
    assert broker.read_positions(urgent=True).net(EXCHANGE, "AAPL", PRODUCT) == Decimal("1.5")


# the rest -------------------------------------------------------------------------------------------------------


def test_the_fills_of_the_day_are_read_page_by_page(broker, stub):
    def fill(number):
        row = {
            "id": f"2026::{number}",
            "order_id": ID,
            "symbol": "AAPL",
            "side": "buy",
            "qty": "1",
            "price": "9.5",
        }
        return {**row, "activity_type": "FILL"}

    pages = [[fill(n) for n in range(100)], [{**fill(100), "side": "sell_short"}], []]
    stub.tell("GET v2/account/activities/FILL", *(says(page) for page in pages))
    trades = broker.trades()
    assert {trade.side for trade in trades[:-1]} == {Side.BUY} and trades[-1].side is Side.SELL
    assert [trade.trade_id for trade in trades] == [f"2026::{n}" for n in range(101)]
    asked = [parse_qs(call.path.partition("?")[2]).get("page_token") for call in stub.made("GET")]
    assert asked[-2:] == [["2026::99"], ["2026::100"]]


@pytest.mark.parametrize(
    ("symbol", "address"),
    [("AAPL", "v2/stocks/trades/latest"), ("AAPL270115C00150000", "v1beta1/options/trades/latest")],
)
def test_a_last_price_is_read_where_its_kind_has_it(broker, stub, symbol, address):
    stub.tell(f"GET {address}", says({"trades": {symbol: {"p": 207.31}}}))
    assert broker.last_price("US", symbol.lower()) == Decimal("207.31")
    stub.tell(f"GET {address}", says({"trades": {}}))
    with pytest.raises(ReadFailed, match="no price"):
        broker.last_price("US", symbol)


def test_the_equity_is_that_of_the_account(broker, stub):
    stub.tell(ACCOUNT, says(account_row(equity="30123.45")))
    assert broker.read_equity()[0] == Decimal("30123.45")


@pytest.mark.parametrize("sandbox", [True, False])
def test_a_sandbox_is_another_account_and_costs_no_money(clock, stub, tmp_path, sandbox):
    traits = make(stub.url, clock, tmp_path, sandbox=sandbox).traits
    assert (traits.is_real, traits.id_class) == (not sandbox, IdClass.C4)
    assert traits.account == (f"{NUMBER} (sandbox)" if sandbox else NUMBER)


@pytest.mark.parametrize(
    "answer", [says(account_row(account_number="911")), fails(401, 40110000, "unauthorized")]
)
def test_keys_of_another_account_are_never_used(broker, stub, clock, answer):
    stub.tell(ACCOUNT, answer)
    for _ in range(2):
        with pytest.raises(ReadFailed, match=r"911|ALPACA_SANDBOX") as caught:
            broker.read_book([])
        clock.advance(hours=1)
    assert caught.value.code == "401"
    assert {call.path for call in stub.calls} == {"v2/account"}
