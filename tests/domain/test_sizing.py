"""Sizes: exact, in whole lots, never more money or risk than was asked for, never negative; and strikes of any list."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side
from domain.instruments.instrument import Instrument, Kind
from domain.instruments.leg_choice import NotChosen, Reference, choose, expiry_of, reference_of, strike_of
from domain.leg_templates import ExpiryWord, LegRule, LegTemplate, StrikeRule
from domain.reason_codes import Reason
from domain.sizing import SizeAsk, SizeFacts, SizeMode, SizePrice, size_of
from tests.listed import TODAY, a_master, living

MONEY = st.decimals("0.01", "1000000000", places=2)
PRICE = st.decimals("0.01", "200000", places=2)
LOT = st.one_of(st.none(), st.integers(1, 5000).map(Decimal))
UNIT = st.sampled_from([Decimal(1), Decimal(1), Decimal(100), Decimal("0.1")])
PERCENT = st.decimals("0.0001", "100", places=4)


def facts(price: Decimal, lot: Decimal | None, **changes: object) -> SizeFacts:
    given: dict[str, object] = {
        "side": Side.BUY, "exchange": "NSE", "symbol": "INFY", "lot": lot, "unit": Decimal(1),
        "price": SizePrice(price, "quote"), "equity": "never read", "stop": None,
    }  # fmt: skip
    return SizeFacts(**(given | changes))  # type: ignore[arg-type]


def exact(value: Decimal) -> Fraction:
    return Fraction(value)


@settings(max_examples=150, deadline=None)
@given(MONEY, PRICE, LOT, UNIT, st.decimals("0.01", "100", places=2))
def test_money_is_never_exceeded_and_no_lot_that_fits_is_left_out(money, price, lot, unit, multiplier):
    sized = size_of(SizeAsk(SizeMode.NOTIONAL, money), facts(price, lot, unit=unit, multiplier=multiplier))
    budget, step = exact(money) * exact(multiplier), exact(lot or Decimal(1))
    cost = exact(price) * exact(unit)
    assert sized.quantity >= 0
    assert exact(sized.quantity) % step == 0
    assert exact(sized.quantity) * cost <= budget < (exact(sized.quantity) + step) * cost
    assert (sized.refusal is Reason.SIZE_ROUNDS_TO_ZERO) is (sized.quantity == 0)


@settings(max_examples=150, deadline=None)
@given(PERCENT, MONEY, PRICE, PRICE, LOT, st.sampled_from(Side))
def test_what_is_lost_at_the_stop_is_never_more_than_was_asked_for(percent, equity, entry, stop, lot, side):
    ask = SizeAsk(SizeMode.RISK_PERCENT, percent)
    sized = size_of(ask, facts(entry, lot, side=side, equity=(equity, "broker"), stop=f"{stop}"))
    distance = (exact(entry) - exact(stop)) * side.sign
    if distance <= 0:
        assert (sized.quantity, sized.refusal) == (0, Reason.STOP_WRONG_SIDE)
        return
    risk, step = exact(equity) * exact(percent) / 100, exact(lot or Decimal(1))
    assert exact(sized.quantity) * distance <= risk < (exact(sized.quantity) + step) * distance
    assert exact(sized.quantity) % step == 0


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 500), st.integers(1, 2000), st.decimals("0.01", "10", places=2))
def test_lots_times_a_multiplier_are_whole_lots(lots, lot, multiplier):
    sized = size_of(
        SizeAsk(SizeMode.LOTS, Decimal(lots)), facts(Decimal(1), Decimal(lot), multiplier=multiplier)
    )
    assert sized.quantity == int(Fraction(lots) * exact(multiplier)) * lot


@pytest.mark.parametrize("mode", list(SizeMode))
def test_lots_of_an_unknown_size_are_refused_and_nothing_else_needs_one(mode):
    sized = size_of(
        SizeAsk(mode, Decimal(50)), facts(Decimal(2), None, equity=(Decimal(1000), "broker"), stop="1")
    )
    assert (sized.refusal is Reason.SIZE_LOT_UNKNOWN) is (mode is SizeMode.LOTS)


@pytest.mark.parametrize(
    ("exchange", "quoted", "fits"),
    [
        ("NSE", "USD", False),
        ("NFO", None, False),
        ("BINANCE", None, False),
        ("BINANCE", "USD", True),
        ("BINANCE", "EUR", False),
    ],
)
def test_money_of_another_currency_is_never_converted(exchange, quoted, fits):
    sized = size_of(
        SizeAsk(SizeMode.NOTIONAL, Decimal(50), "USD", quoted), facts(Decimal(2), None, exchange=exchange)
    )
    assert (sized.refusal is None) is fits
    assert fits or sized.refusal is Reason.SIZE_CURRENCY


# strikes -------------------------------------------------------------------------------------------------------

STRIKES = st.sets(st.integers(1, 9000), min_size=1, max_size=40).map(
    lambda found: [Decimal(each * 10) for each in sorted(found)]
)


@settings(max_examples=150, deadline=None)
@given(
    STRIKES,
    st.decimals("0.01", "100000", places=2),
    st.integers(-50, 50),
    st.sampled_from([Kind.CALL, Kind.PUT]),
)
def test_atm_is_the_nearest_listed_strike_and_otm_counts_places(strikes, price, steps, kind):
    try:
        atm, strike = strike_of(StrikeRule(steps), kind, strikes, price)
    except NotChosen:
        place = min(range(len(strikes)), key=lambda i: (abs(strikes[i] - price), i)) + steps * (
            1 if kind is Kind.CALL else -1
        )
        assert not strikes[0] <= price <= strikes[-1] or not 0 <= place < len(strikes)
        return
    best = min(abs(each - price) for each in strikes)
    assert atm == min(each for each in strikes if abs(each - price) == best)  # of two as near the lower
    between = [each for each in strikes if min(atm, strike) < each <= max(atm, strike)]
    assert len(between) == abs(steps)
    if steps:
        out_of_the_money = strike > atm if kind is Kind.CALL else strike < atm
        assert out_of_the_money is (steps > 0)


@pytest.mark.parametrize(
    ("rule", "kind", "strike"),
    [(0, Kind.CALL, 300), (2, Kind.CALL, 600), (-1, Kind.CALL, 200), (2, Kind.PUT, 150), (-1, Kind.PUT, 400)],
)
def test_a_call_is_out_of_the_money_above_and_a_put_below_by_places_of_the_list(rule, kind, strike):
    strikes = [Decimal(each) for each in (100, 150, 200, 300, 400, 600)]
    assert strike_of(StrikeRule(rule), kind, strikes, Decimal(301)) == (300, strike)


def test_of_two_strikes_that_are_as_near_the_lower_is_at_the_money():
    atm, _ = strike_of(StrikeRule(0), Kind.CALL, [Decimal(24000), Decimal(24100)], Decimal(24050))
    assert atm == 24000


def template(
    underlying: str = "NIFTY", exchange: str = "NFO", expiry: ExpiryWord | date = ExpiryWord.CURRENT_WEEK
) -> LegTemplate:
    return LegTemplate(underlying, frozenset({underlying}), exchange, expiry)


OPTIONS = sorted({(each.underlying, each.exchange) for each in living() if each.kind.is_option})


@pytest.mark.parametrize("kind", [Kind.CALL, Kind.PUT])
@pytest.mark.parametrize(("underlying", "exchange"), OPTIONS)
def test_each_listed_strike_of_the_shipped_lists_is_chosen_by_its_own_price(underlying, exchange, kind):
    mine = template(underlying, exchange)
    try:
        day = expiry_of(ExpiryWord.CURRENT_WEEK, mine, a_master(), TODAY, is_option=True)
    except NotChosen:
        pytest.fail("the list has no expiry ahead")
    rows = [
        each for each in living()
        if (each.root, each.exchange, each.kind, each.expiry) == (mine.root, exchange, kind, day)
    ]  # fmt: skip
    rule = LegRule(kind, Side.SELL, Decimal(1), StrikeRule(0))
    for row in rows:
        assert isinstance(row, Instrument) and row.strike is not None
        assert choose(rule, mine, a_master(), TODAY, Reference(row.strike, "spot")).instrument == row


@pytest.mark.parametrize(
    ("word", "day"),
    [
        (ExpiryWord.CURRENT_WEEK, date(2026, 12, 1)),
        (ExpiryWord.NEXT_WEEK, date(2026, 12, 8)),
        (ExpiryWord.CURRENT_MONTH, date(2026, 12, 29)),
        (ExpiryWord.NEXT_MONTH, date(2027, 1, 25)),
        (date(2026, 12, 15), date(2026, 12, 15)),
    ],
)
def test_expiry_words_count_the_lists_own_dates(word, day):
    assert expiry_of(word, template(), a_master(), TODAY, is_option=True) == day


def test_a_month_that_may_be_cut_off_and_a_day_that_is_not_listed_are_refused():
    with pytest.raises(NotChosen, match="no expiry on 2026-12-02"):
        expiry_of(date(2026, 12, 2), template(), a_master(), TODAY, is_option=True)
    with pytest.raises(NotChosen, match="no next_month for certain"):
        expiry_of(ExpiryWord.NEXT_MONTH, template(), a_master(), date(2026, 12, 30), is_option=True)


def test_the_reference_is_the_index_the_share_or_the_nearest_future():
    assert reference_of(template(), a_master(), TODAY) == ("NSE", "NIFTY INDEX")
    assert reference_of(template("RELIANCE"), a_master(), TODAY) == ("NSE", "RELIANCE-EQ")
    assert reference_of(template("CRUDEOIL", "MCX"), a_master(), TODAY)[0] == "MCX"
    with pytest.raises(NotChosen, match="name it as `reference`"):
        reference_of(template("SENSEX", "BFO"), a_master(), TODAY)
