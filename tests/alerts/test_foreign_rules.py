"""What foreign alerts say, and what is refused because it could be meant in two ways."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from domain.alert import LegRequest, ParsedAlert
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook, Instrument
from domain.enums import LegKind, OrderType, Side
from domain.errors import InvalidAlert
from tests.alerts.dialect_samples import DEFAULTS, SAMPLES


def read(body: Any, defaults: AlertDefaultsBook = DEFAULTS) -> ParsedAlert:
    raw = (
        body.encode()
        if isinstance(body, str)
        else body
        if isinstance(body, bytes)
        else json.dumps(body).encode()
    )
    decoded = decode(raw)
    dialect = DIALECTS.dialect_of(decoded)
    unreadable = decoded.unreadable_as(dialect.form)
    if unreadable is not None:
        raise unreadable
    return dialect.parse(decoded, default_client="default", defaults=defaults)


def leg(defaults: AlertDefaultsBook = DEFAULTS, **fields: Any) -> LegRequest:
    [only] = read({"ticker": "INFY", "action": "buy", **fields}, defaults).legs
    return only


def refusal(body: Any, defaults: AlertDefaultsBook = DEFAULTS) -> tuple[str, str | None]:
    with pytest.raises(InvalidAlert) as caught:
        read(body, defaults)
    return caught.value.code, caught.value.field


# positions ---------------------------------------------------------------------------------------------------

POSITIONS = [
    # side, quantity, position after, its size, position before, its size: what it is
    (("buy", 2, "long", 2, "flat", 0), (LegKind.ENTRY, Side.BUY, 2)),
    (("buy", 2, "long", 5, "long", 3), (LegKind.ENTRY, Side.BUY, 2)),
    (("buy", 2, "long", 5, None, None), (LegKind.ENTRY, Side.BUY, 2)),
    (("sell", 2, "long", 1, "long", 3), (LegKind.EXIT, Side.SELL, 2)),
    (("sell", 2, "long", 1, None, None), (LegKind.EXIT, Side.SELL, 2)),
    (("buy", 2, "short", 1, "short", 3), (LegKind.EXIT, Side.BUY, 2)),
    (("sell", 3, "flat", 0, "long", 3), (LegKind.FLAT, Side.SELL, None)),
    (("buy", 3, "flat", 0, "short", 3), (LegKind.FLAT, Side.BUY, None)),
    (("buy", 3, "flat", 0, None, None), (LegKind.FLAT, Side.BUY, None)),
    (("buy", 3, None, None, "flat", 0), (LegKind.ENTRY, Side.BUY, 3)),
    (("buy", 5, None, 2, None, None), "MISSING"),  # a reversal, if that is the size of the position
    (("buy", 3, "flat", 0, "long", 3), "CONTRADICTION"),
    (("buy", 3, "flat", 0, "flat", 0), "CONTRADICTION"),
    (("sell", 3, "long", 3, "flat", 0), "CONTRADICTION"),
    (("buy", 3, "short", 3, "long", 3), "CONTRADICTION"),
    (("sell", 3, None, None, "long", 3), "AMBIGUOUS"),
    (("buy", 3, "long", -3, "flat", 0), "CONTRADICTION"),
    (("buy", 3, "flat", 2, None, None), "CONTRADICTION"),
    (("buy", 3, "up", 3, "flat", 0), "INVALID"),
]


@pytest.mark.parametrize(("said", "meant"), POSITIONS)
def test_the_positions_tell_an_entry_from_an_exit(said: tuple[Any, ...], meant: Any):
    keys = ("action", "contracts", "market_position", "market_position_size", "prev_market_position",
            "prev_market_position_size")  # fmt: skip
    body = {"ticker": "INFY"} | {
        key: value for key, value in zip(keys, said, strict=True) if value is not None
    }
    if isinstance(meant, str):
        assert refusal(body)[0] == meant
    else:
        [only] = read(body).legs
        assert (only.kind, only.side, only.quantity) == meant


TEXTS_OF_STRATEGIES = [
    ("buy @ 5 filled on NSE:A. New strategy position is 5", (LegKind.ENTRY, Side.BUY, 5)),
    ("buy @ 5 filled on NSE:A. New strategy position is 10.5.", (LegKind.ENTRY, Side.BUY, 5)),
    ("sell @ 5 filled on NSE:A. New strategy position is 0", (LegKind.FLAT, Side.SELL, None)),
    ("sell @ 5 filled on NSE:A. New strategy position is 3", (LegKind.EXIT, Side.SELL, 5)),
    ("buy @ 5 filled on NSE:A. New strategy position is -3", (LegKind.EXIT, Side.BUY, 5)),
    ("buy @ 99.5 for 5 filled on NSE:A. New strategy position is 5", (LegKind.ENTRY, Side.BUY, 5)),
]


@pytest.mark.parametrize(("text", "meant"), TEXTS_OF_STRATEGIES)
def test_the_default_text_of_a_strategy_says_by_its_position_what_its_order_is(text: str, meant: Any):
    [only] = read(f"MACD (12, 26): order {text}").legs
    assert (only.kind, only.side, only.quantity) == meant


def test_words_for_a_position_name_what_is_closed():
    legs = [leg(action=word) for word in ("close_long", "exit_short", "exit", "flat")]
    assert [(each.kind, each.side) for each in legs] == [
        (LegKind.FLAT, Side.SELL), (LegKind.FLAT, Side.BUY), (LegKind.FLAT, None), (LegKind.FLAT, None),
    ]  # fmt: skip
    only = leg(action="close", direction="long", quantity=2)
    assert (only.kind, only.side, only.quantity) == (LegKind.EXIT, Side.SELL, 2)
    assert refusal({"ticker": "A", "action": "close", "side": "sell"})[0] == "AMBIGUOUS"
    assert refusal({"ticker": "A", "action": "buy", "side": "sell"})[0] == "CONTRADICTION"
    assert refusal({"ticker": "A", "action": "buy", "signal": "close_long"})[0] == "AMBIGUOUS"


def test_what_describes_the_bar_or_the_position_is_no_size():
    assert leg(bar={"volume": 1234}, position_size=3, plot_0=5).quantity == 3


def test_fields_within_an_object_count_as_if_they_stood_beside_it():
    for holder in ("alert", "order", "data", "payload"):
        [only] = read({holder: {"symbol": "TSLA", "side": "short", "qty": 4}}).legs
        assert (only.symbol, only.side, only.quantity) == ("TSLA", Side.SELL, 4)


def test_a_kind_of_market_is_no_symbol_beside_one():
    assert leg(market="crypto", asset="stock", instrument="EQ").symbol == "INFY"
    [only] = read({"market": "BTC-USD", "action": "buy"}).legs
    assert only.symbol == "BTC-USD"


def test_an_exit_of_a_part_takes_no_quantity_from_the_defaults():
    assert refusal({"ticker": "A", "action": "sell", "market_position": "long"}) == ("MISSING", "quantity")


# doubt -------------------------------------------------------------------------------------------------------

REFUSED = [
    ({"action": "hold"}, ("INVALID", "action")),
    ({"action": None}, ("MISSING", "action")),
    ({"action": "{{strategy.order.action}}"}, ("PLACEHOLDER_UNRESOLVED", "action")),
    ({"close": "{{close}}"}, ("PLACEHOLDER_UNRESOLVED", "close")),
    ({"time": "at {{timenow}}"}, ("PLACEHOLDER_UNRESOLVED", "time")),
    ({"ticker": "{stock}"}, ("PLACEHOLDER_UNRESOLVED", "ticker")),
    ({"ticker": "..."}, ("INVALID", "ticker")),
    ({"ticker": None}, ("MISSING", "symbol")),
    ({"symbol": "TCS"}, ("AMBIGUOUS", "ticker")),
    ({"ticker": "NSE:INFY", "exchange": "BSE"}, ("CONTRADICTION", "exchange")),
    ({"quantity": None}, ("INVALID", "quantity")),
    ({"quantity": "NaN"}, ("INVALID", "quantity")),
    ({"quantity": "null"}, ("INVALID", "quantity")),
    ({"quantity": ""}, ("INVALID", "quantity")),
    ({"quantity": 0}, ("INVALID", "quantity")),
    ({"quantity": [1]}, ("INVALID", "quantity")),
    ({"position": {"side": "flat"}}, ("INVALID", "position")),
    ({"exit_price": 5}, ("NOT_BUILT", "exit_price")),
    ({"quantity": -1}, ("INVALID", "quantity")),
    ({"quantity": "5%"}, ("NOT_BUILT", "quantity")),
    ({"quantity": "$50"}, ("NOT_BUILT", "quantity")),
    ({"quantity": 1, "contracts": 2}, ("AMBIGUOUS", "quantity")),
    ({"quantity": 1, "quantity_type": "percent"}, ("NOT_BUILT", "quantity_type")),
    ({"size": 5}, ("AMBIGUOUS", "size")),
    ({"lots": 2}, ("AMBIGUOUS", "lots")),
    ({"risk": 1}, ("NOT_BUILT", "risk")),
    ({"size_pct": 10}, ("NOT_BUILT", "size_pct")),
    ({"my": {"lot_count": 2}}, ("NOT_BUILT", "my.lot_count")),
    ({"action": "exit", "close_ratio": 0.5}, ("NOT_BUILT", "close_ratio")),
    ({"action": "exit", "percent": 50}, ("NOT_BUILT", "percent")),
    ({"invest": 100}, ("NOT_BUILT", "invest")),
    ({"oco": True}, ("NOT_BUILT", "oco")),
    ({"orderType": "limit"}, ("MISSING", "limitPrice")),
    ({"orderType": "limit", "price": "NaN"}, ("MISSING", "limitPrice")),
    ({"orderType": "stop"}, ("MISSING", "triggerPrice")),
    ({"orderType": "market", "limitPrice": 3}, ("CONTRADICTION", "limitPrice")),
    ({"orderType": "somehow"}, ("INVALID", "ordertype")),
    ({"limit_price": 3}, ("AMBIGUOUS", "orderType")),
    ({"product": "XYZ"}, ("INVALID", "product")),
    ({"stopLoss": {"type": "stop_limit", "stopPrice": 90, "limitPrice": 89}}, ("NOT_BUILT", "stoploss.type")),
    ({"tp1": 90}, ("NOT_BUILT", "tp1")),
    ({"dollar_tp": 90}, ("NOT_BUILT", "dollar_tp")),
    ({"target_percent": 2}, ("NOT_BUILT", "target_percent")),
    ({"profit_points": 2}, ("NOT_BUILT", "profit_points")),
    ({"stop": 2}, ("NOT_BUILT", "stop")),
    ({"disclosed_quantity": 2}, ("NOT_BUILT", "disclosed_quantity")),
    ({"action": "exit", "position": "long"}, ("CONTRADICTION", "market_position")),
    ({"sl": "NaN"}, ("INVALID", "sl")),
    ({"trailing_stop": "1%"}, ("NOT_BUILT", "trailing_stop")),
    ({"delay": 60}, ("NOT_BUILT", "delay")),
    ({"paper": True}, ("NOT_BUILT", "paper")),
    ({"tif": "ioc"}, ("NOT_BUILT", "tif")),
    ({"strike": 24500}, ("NOT_BUILT", "strike")),
    ({"cancel": True}, ("AMBIGUOUS", "action")),
    ({"reverse": "true"}, ("NOT_BUILT", "reverse")),
    ({"reverse": "perhaps"}, ("INVALID", "reverse")),
    ({"action": "reverse"}, ("NOT_BUILT", "reverse")),
    ({"action": "\u00faS"}, ("INVALID", "action")),
    ({"action": "\u043fb"}, ("INVALID", "action")),
    ({"ticker": False}, ("INVALID", "ticker")),
    ({"ticker": True, "symbol": True}, ("INVALID", "ticker")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "told"), REFUSED, ids=lambda value: json.dumps(value)[:60])
def test_doubt_is_refused_and_the_field_named(fields: dict[str, Any], told: tuple[str, str]):
    assert refusal({"ticker": "INFY", "action": "buy", **fields}) == told


TEXTS = [
    ("[" + ",".join(['{"ticker":"A","action":"buy"}'] * 2) + "]", "UNREADABLE"),
    ('{"ticker":"A","action":"buy"}{"ticker":"B","action":"buy"}', "UNREADABLE"),
    ('{"ticker":"A" "action":"buy"}', "UNREADABLE"),
    ("{'ticker':'A','action':'buy'}", "UNREADABLE"),
    ('{"ticker":"A", // the symbol\n"action":"buy"}', "UNREADABLE"),
    ("SYMBOL=A;SIGNAL=BUY;X=1,VOLUME=2", "UNREADABLE"),
    ("e=X s=Y b=long q=1 t=market | e=X s=Z b=short q=1 t=market", "AMBIGUOUS"),
    ("order buy @ 1 filled on A. order sell @ 1 filled on B. New strategy position is 1", "AMBIGUOUS"),
    ("order buy @ 1 filled on A", "MISSING"),
    ("order buy @ 5 filled on A. New strategy position is many", "INVALID"),
    ("NIFTY250417C23000 buy 1", "AMBIGUOUS"),
    ("INFY1! sell 4", "AMBIGUOUS"),
    ("buy NIFTY 50", "UNREADABLE"),
    ("buy 24500 CE", "UNREADABLE"),
    ("keys(BTCUSDT) { market(side=buy, amount=1); wait(3s); }", "AMBIGUOUS"),
]


@pytest.mark.parametrize(("text", "code"), TEXTS)
def test_what_holds_several_commands_or_uncertain_damage_is_refused(text: str, code: str):
    assert refusal(text)[0] == code


# what is certain ---------------------------------------------------------------------------------------------


def test_a_price_is_a_reference_unless_the_alert_itself_names_a_limit_order():
    assert (leg(price=99).price, leg(price=99).reference_price) == (None, 99)
    limit = leg(price=99, orderType="LIMIT", close=98)
    assert (limit.order_type, limit.price) == (OrderType.LIMIT, 99)
    by_default = AlertDefaultsBook(
        AlertDefaults("NSE", "MIS", OrderType.LIMIT, Decimal(1)), strategy_name="S"
    )
    assert refusal({"ticker": "INFY", "action": "buy", "price": 99}, by_default) == ("MISSING", "limitPrice")
    assert leg(price="NaN").reference_price is None


def test_the_noise_of_floats_is_taken_away_and_nothing_else():
    assert leg(quantity="1800.8000000000002").quantity == Decimal("1800.8")
    assert leg(quantity=0.1 + 0.2).quantity == Decimal("0.3")
    assert leg(quantity="0.12345678").quantity == Decimal("0.12345678")
    assert refusal({"ticker": "A", "action": "buy", "quantity": "0.123456789012345"}) == (
        "INVALID",
        "quantity",
    )


def test_the_strategies_file_adds_what_is_missing_and_translates_names():
    own = AlertDefaults(
        "NFO", "NRML", None, Decimal(75), symbols={"NIFTY1!": Instrument("NIFTY26NOVFUT", "NFO")}
    )
    book = AlertDefaultsBook(AlertDefaults("NSE", "MIS"), {"Fut": own}, "Any")
    [only] = read({"ticker": "NSE:nifty1!", "action": "buy", "strategy": "Fut"}, book).legs
    assert (only.symbol, only.exchange, only.product, only.quantity) == ("NIFTY26NOVFUT", "NFO", "NRML", 75)
    assert refusal({"ticker": "INFY", "action": "buy"}, book) == ("MISSING", "quantity")
    assert read({"ticker": "INFY", "action": "buy", "quantity": 1}, book).strategy_name == "Any"
    for missing, field in (("exchange", "exchange"), ("product", "product"), ("strategy", "strategy")):
        body = {
            "ticker": "INFY",
            "action": "buy",
            "quantity": 1,
            "exchange": "NSE",
            "product": "CNC",
            "strategy": "S",
        }
        del body[missing]
        assert refusal(body, AlertDefaultsBook()) == ("MISSING", field)


def test_a_screener_takes_its_side_from_its_strategy_and_only_a_screener():
    book = AlertDefaultsBook(
        AlertDefaults("NSE", "MIS", None, Decimal(1)),
        {"Fallers": AlertDefaults("NSE", "MIS", None, Decimal(2), Side.SELL)},
        "S",
    )
    alert = read({"stocks": "A,B", "trigger_prices": "1.5,2", "scan_name": "Fallers"}, book)
    assert [(each.symbol, each.side, each.quantity, each.reference_price) for each in alert.legs] == [
        ("A", Side.SELL, 2, Decimal("1.5")),
        ("B", Side.SELL, 2, Decimal(2)),
    ]
    assert refusal({"stocks": "A", "scan_name": "Other"}, book) == ("MISSING", "side")
    assert refusal({"ticker": "A", "strategy": "Fallers"}, book) == ("MISSING", "action")


REPAIRED = [
    '{"ticker": "INFY", "action": "buy",}',
    "{“ticker”: “INFY”, “action”: “buy”}",
    '{"ticker": "INFY", "action": "buy", "comment": "two\nlines"}',
    json.dumps('{"ticker": "INFY", "action": "buy"}'),
    '[{"ticker": "INFY", "action": "buy"}]',
]


@pytest.mark.parametrize("text", REPAIRED)
def test_certain_damage_is_repaired_and_the_repair_is_told(text: str):
    alert = read(text)
    assert len(alert.repairs) == 1
    assert (alert.legs[0].symbol, alert.legs[0].side) == ("INFY", Side.BUY)


# any body ----------------------------------------------------------------------------------------------------

_KEY_NAMES = (
    "ticker symbol action side order signal quantity qty contracts size amount price limitPrice orderType type "
    "exchange market_position prev_market_position position_size reduce_only strategy product close stop_loss secret"
)
_SOME_WORDS = (
    "buy sell long short exit close flat close_long cancel reverse INFY NSE:TCS BTC/USDT NSE MIS LIMIT MARKET NaN null "
    "{{close}} 5% $50 1e3 12 0.5 1800.8000000000002 true false long flat"
)
_KEYS = st.sampled_from(_KEY_NAMES.split())
_WORDS = st.sampled_from(_SOME_WORDS.split())
_VALUES = (
    _WORDS
    | st.integers(-5, 5000)
    | st.floats(allow_nan=False)
    | st.none()
    | st.booleans()
    | st.text(max_size=5)
)
_DOCUMENTS = st.dictionaries(_KEYS, _VALUES | st.dictionaries(_KEYS, _VALUES, max_size=4), max_size=9)
_PIECES = st.tuples(_KEYS, _WORDS)
_TEXTS = st.tuples(st.sampled_from([";", "\n", "&", ",", " ", "|"]), st.lists(_PIECES, max_size=8)).map(
    lambda drawn: drawn[0].join(f"{key}={value}" for key, value in drawn[1])
)
_WORD_LISTS = st.lists(_WORDS, max_size=6).map(" ".join)
_SAMPLES = st.sampled_from(
    [body.decode("utf-8", "replace") for make in SAMPLES.values() for body in make("s3cret")]
)
ANY_BODY = _DOCUMENTS.map(json.dumps) | _TEXTS | _WORD_LISTS | _SAMPLES | st.text(max_size=80)

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_OF_SIDE = {
    Side.BUY: re.compile(r"buy|long|short|cover|\bb\b", re.IGNORECASE),
    Side.SELL: re.compile(r"sell|short|long|\bs\b", re.IGNORECASE),
}


def hold_what_is_traded_to_the_body(text: str) -> None:
    try:
        alert = read(text)
    except InvalidAlert:
        return
    numbers = {Decimal(each) for each in _NUMBER.findall(text)}
    default = DEFAULTS.default.quantity
    for each in alert.legs:
        if each.quantity is not None and each.quantity != default:
            assert min(abs(number - each.quantity) for number in numbers) <= each.quantity * Decimal("1E-13")
        if each.side is not None and alert.format != "chartink":
            assert _OF_SIDE[each.side].search(text)
        if each.kind is LegKind.ENTRY:
            assert each.side is not None and (each.quantity is not None or each.size is not None)
        if each.size is not None:  # of money or percent: its number stands in the body too
            assert each.kind is LegKind.ENTRY and each.size.value in numbers


@settings(max_examples=400)
@given(ANY_BODY)
def test_no_order_has_a_side_or_a_quantity_that_nobody_named(text: str):
    hold_what_is_traded_to_the_body(text)


@pytest.mark.gate
@settings(max_examples=8_000)
@given(ANY_BODY)
def test_no_order_has_a_side_or_a_quantity_that_nobody_named_in_many_bodies(text: str):
    hold_what_is_traded_to_the_body(text)


# exits that were entries -------------------------------------------------------------------------------------

EXITS_BESIDE_AN_ENTRY: list[dict[str, Any]] = [
    *({"signal": text} for text in ("TP1 hit", "SL", "EXIT LONG TP")),
    {"event": "exit_long_tp1"}, {"command": "close_partial"}, {"cmd": "closelongvol"}, {"order": "exit_tp"},
    {"position": "close"}, {"position": "exit"}, {"close": True}, {"exit": True}, {"flat": True}, {"flatten": True},
    {"close_only": True}, {"isReduceOnly": True}, {"entry": False}, {"is_entry": False},
    {"params": {"reduceOnly": True}}, {"trade": {"action": "exit"}}, {"tv": {"market_position": "flat"}},
    {"intent": "exit"}, {"kind": "close"}, {"entry_exit": "EXIT"}, {"positionEffect": "CLOSE"},
    {"openClose": "close"}, {"tp_hit": 1}, {"closeOnTrigger": "yes"},
]  # fmt: skip


@pytest.mark.parametrize("beside", EXITS_BESIDE_AN_ENTRY, ids=str)
def test_an_exit_beside_an_entry_is_never_entered(beside: dict[str, Any]):
    code, _ = refusal({"ticker": "INFY", "action": "sell", "quantity": 5, **beside})
    assert code == "AMBIGUOUS"


def test_the_price_and_notes_at_an_entry_ask_for_no_exit():
    only = leg(close=1500.5, comment="exit at 15:15", id="Close", reduce_only=False, exit="", flat=0)
    assert (only.kind, only.reference_price) == (LegKind.ENTRY, Decimal("1500.5"))


def test_a_side_under_a_usual_name_counts_beside_the_platform_s_own():
    body = {"tradingsymbol": "INFY", "transaction_type": "SELL", "action": "EXIT", "quantity": 5}
    assert refusal(body)[0] == "AMBIGUOUS"


@pytest.mark.parametrize(
    "body",
    [
        {"symbol": "INFY", "exchange": "NSE", "action": "buy", "price": 1500, "volume": 150177},
        {"symbol": "INFY", "exchange": "NSE", "signal": "buy", "close": 1500, "volume": 150177},
        {"symbol": "INFY", "signal": "buy", "tag": "x", "volume": 150177, "quantity": 5},
    ],
)
def test_the_volume_of_the_bar_is_no_quantity(body: dict[str, Any]):
    assert refusal(body)[0] == "AMBIGUOUS"


BESIDE_AN_ORDER: list[dict[str, Any]] = [
    {"qtyUnit": "%"}, {"qty_unit": "percent"}, {"quantity_mode": "pct"}, {"in_lots": True}, {"is_percent": True},
    {"order_value": 5000}, {"mode": "paper"}, {"environment": "sandbox"}, {"live": False}, {"isLive": "false"},
    {"enabled": False}, {"dry": True}, {"no_trade": True}, {"backtest": True}, {"options": {"test_mode": True}},
    {"order2": {"ticker": "TCS", "action": "sell"}}, {"basket": [{"ticker": "TCS"}]}, {"then": {"action": "sell"}},
    {"exits": [{"action": "sell"}]},
]  # fmt: skip


@pytest.mark.parametrize("beside", BESIDE_AN_ORDER, ids=str)
def test_what_would_change_the_order_is_not_passed_over(beside: dict[str, Any]):
    code, _ = refusal({"ticker": "INFY", "action": "buy", "quantity": 5, **beside})
    assert code in ("NOT_BUILT", "AMBIGUOUS")


@pytest.mark.parametrize("number", ["123456789012345678901234567890.12345", "9" * 30 + ".5123456"])
def test_a_number_too_long_to_reckon_with_is_refused(number: str):
    body = f'{{"ticker": "INFY", "action": "buy", "quantity": {number}, "position_size": {number}}}'
    assert refusal(body)[0] == "INVALID"


@pytest.mark.parametrize(
    "beside",
    [{"close_all": True}, {"strategy": {"side": "x"}}, {"position_size": 0}, {"ticker": "INFY"},
     {"prev_market_position": "long"}, {"msg": "buy 10 INFY now"}],
    ids=str,
)  # fmt: skip
def test_what_may_ask_for_an_order_is_no_notice(beside: dict[str, Any]):
    code, _ = refusal({"text": "the session ended", **beside})
    assert code != "NOTHING_ASKED"
