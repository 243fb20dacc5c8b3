"""Ids come from what is asked for, not from how it was written down."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alert import LegRequest, kind_of
from domain.enums import ExecutionType, LegKind, OrderType, Side, TestMode
from domain.ids import (
    CLIENT_ORDER_ID_LENGTH,
    alert_key,
    client_order_id,
    command_id,
    content_hash,
    intent_key,
    ulid,
)
from domain.instruments.choice import InstrumentChoice
from domain.protection_terms import Terms, TrailingType
from domain.sizing import SizeAsk, SizeMode
from tests.support import entry, leg

QUICK = settings(max_examples=150, deadline=None, derandomize=True)
FULL_LEG = leg(
    order_type=OrderType.STOP_LIMIT, trigger_price=Decimal("111.5"), reference_price=Decimal("112.4")
)
HASH_OF_FULL_LEG = "efd3caf3321c2fa89145171cfcbf9976ac7872fb9450e49f9cbfde3aeee7fd51"
OTHER_LEG = {
    "symbol": "BANKNIFTY26NOVFUT",
    "exchange": "BFO",
    "side": Side.SELL,
    "quantity": Decimal(51),
    "product": "NRML",
    "order_type": OrderType.LIMIT,
    "price": Decimal("112.55"),
    "trigger_price": None,
    "reference_price": Decimal("112.41"),
    "protection": Terms(stop_loss="2%"),
    "instrument": InstrumentChoice(("NFO", "ANOTHER")),
    "size": SizeAsk(SizeMode.LOTS, Decimal(2)),
}
OTHER_ALERT = {
    "client_id": "second",
    "strategy_name": "OTHER",
    "execution_type": ExecutionType.EXIT,
    "signal_id": "s-1",
    "test_mode": TestMode.SUCCESS,
}


def renoted(value: Decimal, zeros: int) -> Decimal:
    """The same number with more zeros behind the point."""
    sign, digits, exponent = value.as_tuple()
    return Decimal((sign, (*digits, *[0] * zeros), int(exponent) - zeros))


@QUICK
@given(st.integers(0, 5), st.integers(0, 5))
def test_how_a_number_is_written_is_no_part_of_the_content(one, two):
    numbers = {
        name: renoted(getattr(FULL_LEG, name), zeros)
        for name, zeros in [
            ("quantity", one),
            ("price", two),
            ("trigger_price", one),
            ("reference_price", two),
        ]
    }
    assert content_hash(entry(replace(FULL_LEG, **numbers))) == content_hash(entry(FULL_LEG))


def test_the_dialect_is_no_part_of_the_content():
    assert content_hash(entry(format="tradingview")) == content_hash(entry(format="native"))


OF_TARGETS = ("kind", "order_side")  # tests/engine/test_reaching_targets.py
FOUND_OUT = ("sized", "template")  # what we make of a size and of a symbol, and not what the alert says


@pytest.mark.parametrize(
    "name", [field.name for field in fields(LegRequest) if field.name not in OF_TARGETS + FOUND_OUT]
)
def test_every_field_of_a_leg_is_part_of_the_content(name):
    changed = replace(FULL_LEG, **{name: OTHER_LEG[name]})
    assert content_hash(entry(changed)) != content_hash(entry(FULL_LEG))
    assert content_hash(entry(FULL_LEG, changed)) != content_hash(entry(FULL_LEG, FULL_LEG))


def test_what_a_name_became_is_no_part_of_the_content():
    """A repeated alert stays one, also where a master of another day calls its instrument differently."""
    choice = InstrumentChoice((FULL_LEG.exchange, FULL_LEG.symbol))
    became = replace(FULL_LEG, symbol="NIFTY24NOV26C24500", instrument=choice)
    assert content_hash(entry(became)) == content_hash(entry(FULL_LEG))


TERMS = Terms("2%", "10pt", TrailingType.POINTS, Decimal(3), Decimal(5))


@pytest.mark.parametrize(
    "changed",
    [
        {"stop_loss": "3%"},
        {"target": "10%"},
        {"trailing_type": TrailingType.STEP},
        {"trailing_value": Decimal(4)},
        {"trail_when": None},
        {"targets": (("10pt", Decimal(50)), ("20pt", Decimal(50)))},
        {"lot_size": Decimal(25)},
    ],
)
def test_all_of_a_protection_is_part_of_the_content(changed):
    one, other = (content_hash(entry(leg(protection=t))) for t in (TERMS, replace(TERMS, **changed)))
    assert one != other


def test_the_hash_of_an_alert_without_protection_is_what_it_was_before_there_was_any():
    assert content_hash(entry(FULL_LEG)) == HASH_OF_FULL_LEG


def test_the_kind_of_a_leg_follows_from_what_the_content_holds():
    """So it is no part of the content, and stored hashes stay what they are. A TARGET's alert adds its kind."""
    seen = {
        kind: (execution_type, quantity is None)
        for execution_type in (ExecutionType.ENTRY, ExecutionType.EXIT, ExecutionType.CANCEL)
        for quantity in (Decimal(5), None)
        for kind in LegKind
        if kind is kind_of(execution_type, quantity)
    }
    assert seen.keys() == set(LegKind) - {LegKind.TARGET}
    assert all(kind.execution_type is execution_type for kind, (execution_type, _) in seen.items())


@pytest.mark.parametrize(
    ("execution_type", "quantity", "kind"),
    [
        (ExecutionType.ENTRY, Decimal(5), LegKind.EXIT),
        (ExecutionType.EXIT, Decimal(5), LegKind.ENTRY),
        (ExecutionType.EXIT, Decimal(5), LegKind.FLAT),
        (ExecutionType.EXIT, None, LegKind.EXIT),
        (ExecutionType.EXIT, None, LegKind.ENTRY),
    ],
)
def test_a_leg_of_a_kind_that_contradicts_its_alert_makes_no_alert(execution_type, quantity, kind):
    wrong = replace(FULL_LEG, quantity=quantity, kind=kind)
    with pytest.raises(ValueError, match=kind):
        replace(entry(), execution_type=execution_type, legs=(wrong,))


@pytest.mark.parametrize("name", OTHER_ALERT)
def test_every_field_of_an_alert_is_part_of_the_content(name):
    assert content_hash(entry(**{name: OTHER_ALERT[name]})) != content_hash(entry())


def test_the_number_and_the_order_of_the_legs_are_part_of_the_content():
    one, two = leg("A"), leg("B")
    hashes = {content_hash(entry(*legs)) for legs in [(one,), (one, one), (one, two), (two, one)]}
    assert len(hashes) == 4


def test_a_price_is_not_taken_for_another_price():
    """Fields that are next to each other must not run into one another."""
    limit = leg(price=Decimal(5), trigger_price=None)
    stop = leg(price=None, trigger_price=Decimal(5))
    assert content_hash(entry(limit)) != content_hash(entry(stop))


def test_the_key_of_an_alert_is_its_signal_id_else_its_content():
    assert alert_key(entry(signal_id="s-1"), "c") == "default|signal|s-1"
    assert alert_key(entry(signal_id=""), "c") == "default|signal|"
    assert alert_key(entry(), "c") == "default|content|c"
    assert alert_key(entry(client_id="second"), "c") != alert_key(entry(), "c")


def test_generation_and_place_tell_intents_apart():
    keys = {intent_key("k", generation, index) for generation in range(12) for index in range(12)}
    assert len(keys) == 144


@QUICK
@given(st.text(max_size=300))
def test_the_id_that_a_broker_sees_fits_every_broker(intent):
    assert re.fullmatch(r"ow[a-z0-9]{18}", client_order_id(intent))
    assert client_order_id(intent) == client_order_id(intent)


def test_the_id_that_a_broker_sees_is_as_long_as_promised_and_all_its_own():
    ids = {client_order_id(f"default|content|{n}|0|0") for n in range(20_000)}
    assert len(ids) == 20_000
    assert {len(id_) for id_ in ids} == {CLIENT_ORDER_ID_LENGTH} == {20}


def test_the_id_that_a_broker_sees_never_changes_from_one_version_to_the_next():
    """An order in flight during an upgrade is found by it afterwards."""
    assert client_order_id("default|signal|s-1|0|0") == "ow1krdj9rfbhz9ja745t"
    assert content_hash(entry(FULL_LEG)) == "efd3caf3321c2fa89145171cfcbf9976ac7872fb9450e49f9cbfde3aeee7fd51"


def test_a_row_is_named_by_its_alert_and_its_place():
    assert [command_id("a", index) for index in (0, 1, 9)] == ["a-1", "a-2", "a-10"]


instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
randoms = st.integers(0, 2**80 - 1)


@QUICK
@given(instants, instants | st.integers(-3, 3).map(lambda ms: timedelta(milliseconds=ms)), randoms, randoms)
def test_ulids_sort_by_their_time(one, other, random_one, random_two):
    two = one + other if isinstance(other, timedelta) else other
    if abs(two - one) < timedelta(milliseconds=1):
        return
    assert (ulid(one, random_one) < ulid(two, random_two)) == (one < two)


@QUICK
@given(instants, randoms, randoms)
def test_a_ulid_is_26_characters_and_keeps_all_of_its_randomness(at, one, two):
    assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{26}", ulid(at, one))
    assert (ulid(at, one) == ulid(at, two)) == (one == two)
    assert ulid(at, one)[:10] == ulid(at, two)[:10]


def test_randomness_beyond_80_bits_does_not_reach_the_time():
    at = datetime(2026, 11, 20, tzinfo=UTC)
    assert ulid(at, 2**200 - 1)[:10] == ulid(at, 0)[:10]
