"""The native format, field by field."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.decoding import Body, decode
from alerts.formats import native
from domain.alert import LegRequest, ParsedAlert
from domain.enums import ExecutionType, LegKind, OrderType, Side, TestMode
from domain.errors import InvalidAlert
from domain.protection_terms import Terms, TrailingType
from tests.alerts.fakes import a_document, with_leg
from tests.support import entry


def parse(document: dict[str, Any]) -> ParsedAlert:
    """Through bytes, as in life."""
    return native.parse(decode(json.dumps(document).encode()), default_client="default")


def leg_of(**changes: Any) -> LegRequest:
    return parse(with_leg(**changes)).legs[0]


def refusal(document: dict[str, Any]) -> InvalidAlert:
    with pytest.raises(InvalidAlert) as caught:
        parse(document)
    return caught.value


def test_the_example_is_read_whole() -> None:
    assert parse(a_document()) == ParsedAlert(
        format="native",
        client_id="default",
        strategy_name="NIFTY_STRADDLE",
        execution_type=ExecutionType.ENTRY,
        signal_id="bar-1",
        test_mode=None,
        legs=(
            LegRequest(
                symbol="NIFTY26NOV24500CE",
                exchange="NFO",
                side=Side.BUY,
                quantity=Decimal(50),
                product="MIS",
                order_type=OrderType.LIMIT,
                price=Decimal("112.5"),
            ),
        ),
    )


def test_a_bot_that_sends_zeros_for_nothing_is_understood() -> None:
    """The shape that Shoonya bots post: text prices, upper-case codes, everything in one product."""
    alert = parse(
        {
            "secret_key": "x",
            "execution_type": "entry",
            "strategy_name": "short_straddle",
            "exchange": "NFO",
            "underlying": "NIFTY",
            "expiry": "23DEC25",
            "strategy_stoploss": 0,
            "trailing_stoploss": "0.0",
            "target": "",
            "when_price": None,
            "product_type": "M",
            "legs": [
                {
                    "tradingsymbol": f"NIFTY23DEC25{kind}24500",
                    "direction": "SELL",
                    "order_type": "MKT",
                    "price": "0.0",
                    "qty": 75,
                }
                for kind in "CP"
            ],
        }
    )
    first, second = alert.legs
    assert (first.symbol, second.symbol) == ("NIFTY23DEC25C24500", "NIFTY23DEC25P24500")
    assert (first.product, first.order_type, first.side) == ("NRML", OrderType.MARKET, Side.SELL)
    assert (first.price, first.reference_price, first.quantity) == (None, None, Decimal(75))


@pytest.mark.parametrize(
    ("word", "order_type"),
    [
        ("market", "MARKET"), ("MKT", "MARKET"), (None, "MARKET"), ("", "MARKET"), (..., "MARKET"),
        ("Limit", "LIMIT"), ("LMT", "LIMIT"),
        ("STOP", "STOP"), ("SL-MKT", "STOP"), ("sl-m", "STOP"),
        ("STOP_LIMIT", "STOP_LIMIT"), ("SL-LMT", "STOP_LIMIT"), ("SL", "STOP_LIMIT"), ("SL-L", "STOP_LIMIT"),
    ],
)  # fmt: skip
def test_words_for_order_types(word: Any, order_type: str) -> None:
    trigger = 111 if order_type.startswith("STOP") else 0
    leg = leg_of(order_type=word, trigger_price=trigger)
    assert leg.order_type == order_type
    assert leg.trigger_price == (111 if trigger else None)
    limited = order_type.endswith("LIMIT")
    assert leg.price == (Decimal("112.5") if limited else None)
    assert leg.reference_price == (None if limited else Decimal("112.5"))


@pytest.mark.parametrize(("word", "side"), [("b", "BUY"), (" Buy ", "BUY"), ("S", "SELL"), ("sell", "SELL")])
def test_words_for_sides(word: str, side: str) -> None:
    assert leg_of(direction=word).side == side


@pytest.mark.parametrize(
    ("word", "product"),
    [("i", "MIS"), ("M", "NRML"), ("c", "CNC"), ("MTF", "MTF"), (..., "MIS"), (None, "MIS")],
)
def test_words_for_products(word: Any, product: str) -> None:
    assert leg_of(product_type=word).product == product


def test_a_leg_overrides_the_alerts_product_and_exchange() -> None:
    document = with_leg(product_type="CNC", exchange="nse")
    document["product_type"] = "NRML"
    document["legs"].append({"tradingsymbol": "infy", "direction": "S", "qty": "1.50"})
    first, second = parse(document).legs
    assert (first.product, first.exchange) == ("CNC", "NSE")
    assert (second.product, second.exchange, second.symbol) == ("NRML", "NFO", "INFY")
    assert second.quantity == Decimal("1.5")


def test_an_exit_needs_neither_side_nor_quantity() -> None:
    leg = leg_of(execution_type="exit", direction=..., qty=None, order_type=..., price=...)
    assert (leg.side, leg.quantity, leg.kind) == (None, None, LegKind.FLAT)
    leg = leg_of(execution_type="EXIT", direction="SELL", qty=5)
    assert (leg.quantity, leg.kind) == (5, LegKind.EXIT)
    assert leg_of().kind is LegKind.ENTRY


@pytest.mark.parametrize("given_price", [0, 0.0, "0", "0.0", None, "", ...])
def test_a_price_of_nothing_is_none(given_price: Any) -> None:
    leg = leg_of(order_type="MARKET", price=given_price)
    assert (leg.price, leg.reference_price) == (None, None)
    error = refusal(with_leg(order_type="LIMIT", price=given_price))
    assert (error.code, error.field) == ("MISSING", "legs[0].price")


@pytest.mark.parametrize(("value", "read"), [(7, "7"), ("a", "a"), (None, None)])
def test_a_signal_id_is_text(value: Any, read: str | None) -> None:
    assert parse(a_document(signal_id=value)).signal_id == read


@pytest.mark.parametrize(("value", "mode"), [("success", TestMode.SUCCESS), ("", None), (None, None)])
def test_words_for_the_test_mode(value: Any, mode: TestMode | None) -> None:
    assert parse(a_document(test_mode=value)).test_mode is mode


def test_a_named_client_is_kept() -> None:
    assert parse(a_document(client_id="other")).client_id == "other"
    assert parse(a_document(client_id="")).client_id == "default"


BAD_IN_LEG: dict[str, list[Any]] = {
    "tradingsymbol": ["", " ", "A" * 65, "{{ticker}}", "A\nB", "ß", 5, None, ...],
    "direction": ["LONG", None, "", ..., 1, True, ["BUY"]],
    "qty": [
        0, -1, "0", None, "", ..., True, "abc", "1,000", "NaN", "inf", 10**18, 1e-9, "1e99", "٣", [1], {},
        "0.123456789", "{{strategy.order.contracts}}",
    ],
    "price": [-1, "-0.5", "x", "NaN", True, 10**12, "1." + "1" * 29, [], "null"],
    "trigger_price": [111, "0.5", -1, False, "x"],
    "order_type": ["ICEBERG", 1, "STOP LIMIT", []],
    "product_type": ["INTRADAY", 1, "B", {}],
    "exchange": ["N F O", 1, "X" * 21, "{{exchange}}"],
    "stop_los": [100],
}  # fmt: skip
A_PRICE = "expected a price above 0 and below 10^12 of at most 28 digits"
LEGS: list[tuple[dict[str, Any], str]] = [
    *(({field: value}, field) for field, bad in BAD_IN_LEG.items() for value in bad),
    ({"order_type": "STOP"}, "trigger_price"),
    ({"order_type": "SL-LMT", "trigger_price": 0}, "trigger_price"),
]


@pytest.mark.parametrize(("changes", "field"), LEGS)
def test_what_is_wrong_with_a_leg_is_named(changes: dict[str, Any], field: str) -> None:
    error = refusal(with_leg(**changes))
    assert error.field == f"legs[0].{field}"
    assert error.message.startswith("expected ")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"order_type": "STOP"}, f"{A_PRICE} for a STOP order, got none"),
        ({"order_type": "SL-LMT"}, f"{A_PRICE} for a STOP_LIMIT order, got none"),
        ({"order_type": "LIMIT", "price": 0}, f"{A_PRICE} for a LIMIT order, got none"),
        ({"price": -1}, f"{A_PRICE}, or 0 or null for none, got -1"),
        ({"direction": None}, "expected BUY or SELL for an ENTRY, got none"),
        (
            {"qty": None},
            "expected a quantity above 0 of at most 18 digits and 8 decimals for an ENTRY, got none",
        ),
    ],
)
def test_what_is_required_is_said_with_what_requires_it(changes: dict[str, Any], message: str) -> None:
    """And that it may be left out is said only where it may."""
    assert refusal(with_leg(**changes)).message == message


BAD_AT_TOP: dict[str, list[Any]] = {
    "execution_type": ["BUY", "", None, 1, ["ENTRY"]],
    "strategy_name": ["", "  ", "x" * 81, "a\nb", "{{strategy.order.id}}", 5, None],
    "exchange": ["", None, 5, "A B"],
    "signal_id": ["", "x" * 129, "a\0b", True, 1.5, "{{timenow}}", [], "\ud800"],
    "client_id": [5, "a b", "x" * 41],
    "test_mode": ["MAYBE", True, 0],
    "product_type": ["X", 0],
    "legs": [[], None, {}, "x", [a_document()["legs"][0]] * 21],
    "stoploss": [5],
    "qty": [5],
}
ALERTS: list[tuple[dict[str, Any], str]] = [
    *(({field: value}, field) for field, bad in BAD_AT_TOP.items() for value in bad),
    ({"legs": [5]}, "legs[0]"),
    ({"legs": [a_document()["legs"][0], None]}, "legs[1]"),
]


@pytest.mark.parametrize(("changes", "field"), ALERTS)
def test_what_is_wrong_with_an_alert_is_named(changes: dict[str, Any], field: str) -> None:
    error = refusal(a_document(**changes))
    assert error.field == field
    assert error.message.startswith("expected ")


@pytest.mark.parametrize("key", ["execution_type", "strategy_name", "exchange", "legs"])
def test_what_is_missing_is_named(key: str) -> None:
    document = a_document()
    del document[key]
    error = refusal(document)
    assert (error.code, error.field) == ("MISSING", key)


@pytest.mark.parametrize(
    ("key", "suggests"),
    [
        ("stop_los", "did you mean 'stop_loss'?"),
        ("Target_", "did you mean 'target'?"),
        ("symbol", "did you mean 'tradingsymbol'?"),
        ("quantity", "did you mean 'qty'?"),
        ("signal_id", "it belongs beside the legs"),
        ("zzz", "got 'zzz'"),
        ("x" * 5000, "a text of 5000 characters"),
    ],
)
def test_an_unknown_key_is_never_dropped(key: str, suggests: str) -> None:
    error = refusal(with_leg(**{key: None}))
    assert error.code == "UNKNOWN_KEY"
    assert error.message.endswith(suggests)
    assert len(error.field or "") < 100


PROTECTION = ("stop_loss", "target", "trailing_type", "trailing_value", "trail_when")
STRATEGY_PROTECTION = (*PROTECTION, "strategy_stoploss", "trailing_stoploss", "when_price")


@pytest.mark.parametrize("key", PROTECTION)
@pytest.mark.parametrize("value", [-5000, "-2%", "pt", "2 pct", True, False, [], {"a": "{b}"}])
def test_protection_that_cannot_be_meant_is_refused(key: str, value: Any) -> None:
    error = refusal(with_leg(**{key: value}))
    assert (error.code, error.field) == ("INVALID", f"legs[0].{key}")
    assert error.message.startswith("expected ")


TERMS = [
    ({"stop_loss": 98.5}, Terms(stop_loss="98.5")),
    ({"stop_loss": " 2 % ", "target": "10PT"}, Terms(stop_loss="2%", target="10pt")),
    ({"stop_loss": "98.50", "target": 1e3}, Terms(stop_loss="98.5", target="1000")),
    (
        {"trailing_type": "percent", "trailing_value": "1.5", "trail_when": 0},
        Terms(trailing_type=TrailingType.PERCENT, trailing_value=Decimal("1.5")),
    ),
    (
        {"stop_loss": "5pt", "trailing_type": "STEP", "trailing_value": 2, "trail_when": 5},
        Terms("5pt", None, TrailingType.STEP, Decimal(2), Decimal(5)),
    ),
    (dict.fromkeys(("stop_loss", "target", "trailing_value", "trail_when"), 0), None),
    ({"stop_loss": "", "target": None, "trailing_type": ""}, None),
]


@pytest.mark.parametrize(("given", "meant"), TERMS)
def test_a_leg_of_an_entry_brings_its_protection(given: dict[str, Any], meant: Terms | None) -> None:
    assert parse(with_leg(**given)).legs[0].protection == meant


INCOMPLETE = [
    ({"trailing_value": 2}, "trailing_type"),
    ({"stop_loss": 90, "trail_when": 2}, "trailing_type"),
    ({"trailing_type": "POINTS"}, "trailing_value"),
    ({"trailing_type": "PERCENT", "trailing_value": 100}, "trailing_value"),
    ({"trailing_type": "STEP", "trailing_value": 2, "stop_loss": 90}, "trail_when"),
    ({"trailing_type": "STEP", "trailing_value": 2, "trail_when": 5}, "stop_loss"),
    ({"stop_loss": "100%"}, "stop_loss"),
]


@pytest.mark.parametrize(("given", "field"), INCOMPLETE)
def test_a_trail_that_is_not_whole_is_refused(given: dict[str, Any], field: str) -> None:
    error = refusal(with_leg(**given))
    assert (error.code, error.field) == ("INVALID", f"legs[0].{field}")
    assert error.message.startswith("expected ")


@pytest.mark.parametrize(
    ("key", "value"),
    [("stop_loss", "2%"), ("target", 120), ("trailing_type", "POINTS"), ("exit_at", "15:10")],
)
@pytest.mark.parametrize("qty", [None, 25])
def test_protection_on_an_exit_is_refused_with_the_ways_on(key: str, value: Any, qty: int | None) -> None:
    error = refusal(with_leg(**{key: value, "qty": qty}) | {"execution_type": "EXIT"})
    assert (error.code, error.field) == ("AMBIGUOUS", f"legs[0].{key}")
    assert f"{key} on an EXIT can mean two things" in error.message and "trigger_price" in error.message


@pytest.mark.parametrize("key", STRATEGY_PROTECTION)
def test_protection_of_a_strategy_is_never_left_undone(key: str) -> None:
    error = refusal(a_document(**{key: -5000}))
    assert (error.code, error.field) == ("NOT_BUILT", key)
    for nothing in (None, "", 0, "0.0", 0.0):
        assert parse(a_document(**{key: nothing}))


def test_one_entry_does_not_buy_and_sell_the_same() -> None:
    document = with_leg()
    document["legs"].append(document["legs"][0] | {"direction": "SELL"})
    error = refusal(document)
    assert (error.code, error.field) == ("CONTRADICTION", "legs[1].direction")
    document["legs"][1]["exchange"] = "BFO"
    assert len(parse(document).legs) == 2


# any valid document ------------------------------------------------------------------------------------------

symbols = st.from_regex(r"[A-Z0-9&\-_.:!/]{1,64}", fullmatch=True)
prices = st.decimals("0.01", "99999999", places=4)
quantities = st.integers(1, 10**18 - 1) | st.decimals("0.00000001", "99999", places=8)
names = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=80).filter(
    lambda name: "{{" not in name
)


@st.composite
def requests(draw: st.DrawFn) -> LegRequest:
    order_type = draw(st.sampled_from(OrderType))
    limited = order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    triggered = order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
    return LegRequest(
        symbol=draw(symbols),
        exchange=draw(st.sampled_from(["NFO", "NSE", "BINANCE"])),
        side=Side.BUY,
        quantity=draw(quantities.map(Decimal)),
        product=draw(st.sampled_from(["MIS", "NRML", "CNC"])),
        order_type=order_type,
        price=draw(prices) if limited else None,
        trigger_price=draw(prices) if triggered else None,
        reference_price=None if limited else draw(st.none() | prices),
    )


alerts = st.builds(
    entry,
    format=st.just("native"),
    client_id=st.just("default"),
    strategy_name=names,
    execution_type=st.sampled_from([ExecutionType.ENTRY, ExecutionType.EXIT]),
    legs=st.lists(requests(), min_size=1, max_size=3).map(tuple),
    signal_id=st.none() | names,
    test_mode=st.none() | st.sampled_from(TestMode),
)


def written(alert: ParsedAlert, number: Any) -> dict[str, Any]:
    return {
        "execution_type": alert.execution_type,
        "strategy_name": alert.strategy_name,
        "exchange": "NFO",
        "signal_id": alert.signal_id,
        "test_mode": alert.test_mode,
        "legs": [
            {
                "tradingsymbol": leg.symbol,
                "exchange": leg.exchange,
                "direction": leg.side,
                "qty": number(leg.quantity),
                "product_type": leg.product,
                "order_type": leg.order_type,
                "price": number(leg.price or leg.reference_price),
                "trigger_price": number(leg.trigger_price),
            }
            for leg in alert.legs
        ],
    }


@given(alerts, st.randoms(use_true_random=False), st.booleans())
def test_what_was_written_is_read_back_with_keys_in_any_case(
    alert: ParsedAlert, random: Any, as_text: bool
) -> None:
    def mixed(value: Any) -> Any:
        if isinstance(value, dict):
            return {"".join(random.choice((c, c.upper())) for c in key): mixed(v) for key, v in value.items()}
        return [mixed(each) for each in value] if isinstance(value, list) else value

    # Numerals are written as they are, in or without quotes.
    document = written(alert, lambda number: number if number is None else f"<{number:f}>")
    text = json.dumps(mixed(document))
    text = text.replace("<", "").replace(">", "") if as_text else text.replace('"<', "").replace('>"', "")
    assert native.parse(decode(text.encode()), default_client="default") == alert


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["BUY", "MARKET", "EXIT", 0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([*native._Alert.model_fields]), values),
    st.dictionaries(st.sampled_from([*native._Leg.model_fields]), values),
)
def test_any_values_are_read_or_refused_by_field(top: dict[str, Any], leg: dict[str, Any]) -> None:
    document = with_leg(**leg)
    refused = None
    try:
        native.parse(Body(b"", "", document | top, None), default_client="default")
    except InvalidAlert as error:
        refused = error
    assert refused is None or (refused.field and refused.message)
