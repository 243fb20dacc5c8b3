"""Market orders at brokers that take none: what is asked for their limit, what leaves, and what without a price."""

import pytest

from broker.rate_limit.limiter import RateBudget
from domain.enums import ExecutionType, OrderType, Side
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from tests.broker.noren.making import FAST, d, make, position_row
from tests.broker.noren.stub import PLACED, drops_after_reading, not_ok, says, slow
from tests.contract.broker_contract import EXCHANGE, SYMBOL, a_command

SCRIP = {"exch": EXCHANGE, "tsym": SYMBOL, "token": "35013", "ls": "75", "ti": "0.05"}
QUOTE = {
    "stat": "Ok",
    "exch": EXCHANGE,
    "tsym": SYMBOL,
    "token": "35013",
    "lp": "90.00",
    "bp1": "105.00",
    "sp1": "106.00",
    "ti": "0.05",
    "lc": "1.00",
    "uc": "500.00",
}
OTHERS = QUOTE | {"tsym": "NIFTY26NOV25000PE", "token": "35999", "sp1": "7.00", "bp1": "6.95"}
ALGO_CHECK = "ALGO_CHK: MKT Order type not allowed for API order"
TELLS = "sent as a limit order at 109.2: the broker takes no market orders"


def found(*scrips):
    return says({"stat": "Ok", "values": list(scrips)})


@pytest.fixture
def broker(stub, clock, tmp_path):
    stub.standing["SearchScrip"] = found(SCRIP | {"tsym": f"{SYMBOL}X", "token": "1"}, SCRIP)
    stub.standing["GetQuotes"] = says(QUOTE)
    broker = make(stub.url, clock, tmp_path, protection=d("3"))
    yield broker
    broker.close()


def an_exit(**changes):
    return a_command("exit", side=Side.SELL, execution_type=ExecutionType.EXIT, **changes)


def sent(stub, endpoint="PlaceOrder"):
    (call,) = stub.of(endpoint)
    return tuple(call.fields.get(name) for name in ("prctyp", "prc", "trgprc", "ret"))


# what leaves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, ("LMT", "109.2", None, "DAY")),
        ({"side": Side.SELL}, ("LMT", "101.85", None, "DAY")),
        ({"order_type": OrderType.STOP, "trigger_price": d("120")}, ("SL-LMT", "123.6", "120", "DAY")),
        ({"order_type": OrderType.LIMIT, "price": d("8")}, ("LMT", "8", None, "DAY")),
    ],
)
def test_an_order_leaves_with_a_limit(broker, stub, changes, left):
    result = broker.place(a_command(**changes))
    assert sent(stub) == left
    assert result.broker_order_id == PLACED["norenordno"]


def test_the_result_tells_what_was_sent(broker):
    assert broker.place(a_command()).detail == TELLS
    assert broker.place(a_command(order_type=OrderType.LIMIT, price=d("8"))).detail is None


def test_a_change_of_an_order_leaves_with_a_limit_too(broker, stub):
    broker.modify("26112000000001", a_command())
    assert sent(stub, "ModifyOrder") == ("LMT", "109.2", None, "DAY")


def test_the_quote_is_that_of_the_symbol_of_exactly_this_name(broker, stub):
    broker.place(a_command())
    assert stub.of("SearchScrip")[0].fields == {"uid": "FA1", "exch": EXCHANGE, "stext": SYMBOL}
    assert stub.of("GetQuotes")[0].fields == {"uid": "FA1", "exch": EXCHANGE, "token": "35013"}


def test_a_symbols_number_is_asked_for_once_a_day(broker, stub, clock):
    for number in range(3):
        broker.place(a_command(str(number)))
    assert (len(stub.of("SearchScrip")), len(stub.of("GetQuotes"))) == (1, 3)
    clock.advance(days=1)
    broker.place(a_command("tomorrow"))
    assert len(stub.of("SearchScrip")) == 2


def test_a_symbol_that_is_held_needs_no_search(broker, stub):
    stub.tell("PositionBook", says([position_row(token="35013", ti="0.05")]))
    broker.read_positions()
    broker.place(an_exit())
    assert not stub.of("SearchScrip") and sent(stub)[1] == "101.85"


def test_an_order_that_names_its_limit_needs_no_quote(broker, stub):
    broker.place(a_command(order_type=OrderType.LIMIT, price=d("8")))
    assert {call.endpoint for call in stub.calls} == {"QuickAuth", "PlaceOrder"}


def test_what_the_wire_cannot_express_is_refused_before_a_quote_is_asked_for(broker, stub):
    with pytest.raises(Refused):
        broker.place(a_command(quantity=d("1.5")))
    with pytest.raises(Refused):
        broker.modify("1", a_command(order_type=OrderType.STOP))
    assert not stub.calls


# another instrument's quote -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        OTHERS,
        QUOTE | {"exch": "BFO"},
        QUOTE | {"tsym": "ANOTHER"},
        {**QUOTE, "token": None},
        {**QUOTE, "exch": ""},
    ],
)
def test_another_instruments_quote_is_not_taken(broker, stub, wrong):
    stub.tell("GetQuotes", says(wrong), says(wrong))
    broker.place(a_command())
    assert sent(stub)[1] == "109.2" and len(stub.of("GetQuotes")) == 3


def test_a_quote_is_asked_for_again_twice_at_most(broker, stub):
    stub.standing["GetQuotes"] = says(OTHERS)
    with pytest.raises(NotSent, match="another instrument's"):
        broker.place(a_command())
    assert len(stub.of("GetQuotes")) == 3 and not stub.of("PlaceOrder")


def test_the_last_price_is_not_another_instruments(broker, stub):
    stub.tell("GetQuotes", says(OTHERS))
    assert broker.last_price(EXCHANGE, "35013") == d("90")
    stub.standing["GetQuotes"] = says(OTHERS)
    with pytest.raises(ReadFailed, match="another instrument's"):
        broker.last_price(EXCHANGE, "35013")


# without a quote ------------------------------------------------------------------------------------------------

UNREADABLE = {
    "not ok": says(not_ok("Server Timeout :  ")),
    "no answer": drops_after_reading,
    "502": says(b"", 502),
    "no price": says({name: QUOTE[name] for name in ("stat", "exch", "token", "ti")}),
    "a price that is none": says(QUOTE | {"sp1": "x", "bp1": "x"}),
    "another instrument": says(OTHERS),
}


@pytest.mark.parametrize("behaviour", UNREADABLE.values(), ids=UNREADABLE)
def test_an_entry_without_a_quote_is_not_sent(broker, stub, behaviour):
    stub.tell("PositionBook", says([position_row(token="35013", ti="0.05")]))
    broker.read_positions()
    stub.standing["GetQuotes"] = behaviour
    with pytest.raises(NotSent, match="the broker takes no market orders, and there is no price"):
        broker.place(a_command())
    assert not stub.of("PlaceOrder")


@pytest.mark.parametrize("behaviour", UNREADABLE.values(), ids=UNREADABLE)
def test_of_an_exit_the_price_of_the_positions_stands_in(broker, stub, behaviour):
    stub.tell("PositionBook", says([position_row(token="35013", ti="0.05", lp="110.00")]))
    broker.read_positions()
    stub.standing["GetQuotes"] = behaviour
    assert broker.place(an_exit()).detail.startswith("sent as a limit order at 106.7")
    assert sent(stub) == ("LMT", "106.7", None, "DAY")


@pytest.mark.parametrize(
    ("row", "seconds", "goes"),
    [
        ({}, 9, True),
        ({}, 11, False),
        ({"lp": "0.00"}, 0, False),
        ({"lp": None}, 0, False),
        ({"tsym": "ANOTHER"}, 0, False),
        ({"ti": None}, 0, True),
    ],
)
def test_only_a_young_price_of_the_symbol_itself_stands_in(broker, stub, clock, row, seconds, goes):
    stub.tell("PositionBook", says([position_row(**{"token": "35013", "ti": "0.05"} | row)]))
    broker.place(a_command("before"))  # its search tells the tick
    broker.read_positions()
    clock.advance(seconds=seconds)
    stub.standing["GetQuotes"] = says(b"", 502)
    if goes:
        assert broker.place(an_exit()).broker_order_id
    else:
        with pytest.raises(NotSent):
            broker.place(an_exit())
    assert len(stub.of("PlaceOrder")) == 1 + goes


@pytest.mark.parametrize("quote", [says(QUOTE | {"ti": ""}), says(b"", 502)], ids=["no tick", "502"])
def test_a_position_that_tells_the_token_alone_hides_no_tick(broker, stub, quote):
    row = {name: value for name, value in position_row(token="35013").items() if name != "ti"}
    stub.tell("PositionBook", says([row]))
    broker.read_positions()
    stub.standing["GetQuotes"] = quote
    assert broker.place(an_exit()).broker_order_id
    assert len(stub.of("SearchScrip")) == 1


def test_a_symbol_that_the_search_does_not_find_is_not_guessed_at(broker, stub):
    stub.standing["SearchScrip"] = found(SCRIP | {"tsym": f"{SYMBOL}X"}, SCRIP | {"exch": "BFO"})
    with pytest.raises(Refused, match=f"does not find {SYMBOL} at {EXCHANGE}") as refused:
        broker.place(a_command())
    assert refused.value.code == "VALIDATION"
    stub.standing["SearchScrip"] = says(not_ok("No Data :  "))
    with pytest.raises(NotSent, match="does not find"):
        broker.place(an_exit())
    assert not stub.of("PlaceOrder")


# in time, and in its turn ---------------------------------------------------------------------------------------


def test_a_quote_that_came_late_makes_no_order_leave_late(broker, stub, clock):
    def later(handler):
        clock.advance(seconds=FAST.send_within + 1)
        says(QUOTE)(handler)

    stub.tell("GetQuotes", later)
    with pytest.raises(NotSent, match="too long"):
        broker.place(a_command())
    assert not stub.of("PlaceOrder")


def test_no_quote_is_asked_for_when_the_order_may_leave_no_more(broker, stub, clock):
    def later(handler):
        clock.advance(seconds=FAST.send_within + 1)
        says(OTHERS)(handler)

    stub.tell("GetQuotes", later)
    with pytest.raises(NotSent, match="no time is left"):
        broker.place(a_command())
    assert len(stub.of("GetQuotes")) == 1


def test_a_quote_that_hangs_leaves_an_exit_its_time(stub, clock, tmp_path):
    patient = FAST.__class__(connect=5, read=5, send_within=1)
    broker = make(stub.url, clock, tmp_path, timeouts=patient, protection=d("3"))
    stub.tell("PositionBook", says([position_row(token="35013", ti="0.05")]))
    broker.read_positions()
    stub.tell("GetQuotes", slow(2, says(QUOTE)))
    assert broker.place(an_exit()).detail.startswith("sent as a limit order at 106.7")


def test_the_quote_goes_at_the_orders_pace(broker, stub, monkeypatch):
    taken = []
    monkeypatch.setattr(RateBudget, "take", lambda self, *, urgent, **_: taken.append(urgent))
    broker.place(a_command())
    assert taken == [False, False, False]  # search, quote, order
    taken.clear()
    broker.place(an_exit())
    assert taken == [True, True]


# how it ends ----------------------------------------------------------------------------------------------------


def test_an_unknown_outcome_tells_what_may_be_live(broker, stub):
    stub.tell("PlaceOrder", drops_after_reading, says({"stat": "Ok"}))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as error:
            broker.place(a_command())
        assert error.value.message.endswith(f"({TELLS})")


def test_a_refusal_tells_what_was_refused(broker, stub):
    stub.tell("PlaceOrder", says(not_ok("Rejected : RMS:Margin Shortfall")))
    with pytest.raises(Refused) as error:
        broker.place(a_command())
    assert error.value.message == f"Rejected : RMS:Margin Shortfall ({TELLS})" and error.value.code == "RMS"


@pytest.mark.parametrize("preset", ["shoonya", "flattrade", "zebu"])
@pytest.mark.parametrize("emsg", [ALGO_CHECK, "Order price cannot be zero", f"Rejected : {ALGO_CHECK}"])
def test_without_protection_the_refusal_names_the_setting(stub, clock, tmp_path, preset, emsg):
    broker = make(stub.url, clock, tmp_path, preset=preset)
    stub.tell("PlaceOrder", says(not_ok(emsg)))
    with pytest.raises(Refused) as error:
        broker.place(a_command())
    assert error.value.message == f"{emsg} ({preset.upper()}_MARKET_ORDERS=protected sends them as limits)"
    assert sent(stub) == ("MKT", "0", None, "DAY")
