"""Each trap of instruments' names: a guess there would have traded something else."""

from datetime import date
from decimal import Decimal

import pytest

from domain.instruments.instrument import Instrument, Kind, MasterFacts
from domain.instruments.resolution import Resolution, resolve
from domain.ports.instruments import Master
from domain.reason_codes import Reason
from persistence.memory.instruments import MemoryInstruments
from tests.listed import NOW, TODAY, a_master, a_master_with, listed


def found(name: str, exchange: str = "NFO", master: Master | None = None, **rules: int) -> str | None:
    """The broker's symbol that a name is resolved to; None where it is refused."""
    return symbol_of(resolve(name, exchange, master or a_master(), TODAY, **rules))  # type: ignore[arg-type]


def symbol_of(resolution: Resolution) -> str | None:
    if resolution.reason is not None or resolution.found is None:
        return None
    return resolution.found.symbol


def refused(
    name: str, exchange: str = "NFO", master: Master | None = None, **rules: int
) -> tuple[Reason | None, str]:
    told = resolve(name, exchange, master or a_master(), TODAY, **rules)  # type: ignore[arg-type]
    return told.reason, told.detail


def option(symbol: str, root: str, expiry: date, strike: str, kind: Kind = Kind.CALL) -> Instrument:
    return Instrument("NFO", symbol, symbol, kind, root, expiry, Decimal(strike), Decimal(50))


def test_a_name_that_fits_two_contracts_is_refused_and_both_are_listed():
    """`YYMON` and `DDMON` cannot be told apart in text: December's 24500 call, or the 500 call of 24 December 2024."""
    master = a_master_with(
        option("NIFTY29DEC24C24500", "NIFTY", date(2027, 12, 28), "24500"),
        option("NIFTY27DEC27C500", "NIFTY", date(2027, 12, 27), "500"),
    )
    reason, detail = refused(
        "NIFTY27DEC27500CE",
        master=a_master_with(
            option("ONE", "NIFTY", date(2027, 12, 28), "27500"),
            option("TWO", "NIFTY", date(2027, 12, 27), "500"),
        ),
    )
    assert reason is Reason.INSTRUMENT_AMBIGUOUS
    assert "NFO ONE" in detail and "NFO TWO" in detail
    assert found("NIFTY27DEC24500CE", master=master) == "NIFTY29DEC24C24500"


def test_the_year_is_not_taken_for_the_day():
    """In `SENSEX26JUN77300PE` 26 is the year."""
    june = Instrument(
        "BFO", "SENSEX26JUN77300PE", "1", Kind.PUT, "SENSEX", date(2027, 6, 24), Decimal(77300), Decimal(20)
    )
    master = a_master_with(june)
    assert resolve("SENSEX27JUN77300PE", "BFO", master, TODAY).found == june


def test_a_month_alone_is_its_last_expiry_and_no_week():
    assert found("NIFTY26DEC24000CE") == "NIFTY29DEC26C24000"
    assert found("NIFTY26D0824000CE") == "NIFTY08DEC26C24000"
    assert found("SENSEX26DEC79000PE", "BFO") == "SENSEX26DEC79000PE"


def test_a_month_is_not_its_last_expiry_where_the_list_may_end_too_early():
    """A list that was cut off has no later month, and perhaps not the contract that the month names either."""
    weeks = [option(f"ABC{day}", "ABC", date(2026, 12, day), "100") for day in (1, 8)]
    assert refused("ABC26DEC100CE", master=a_master_with(*weeks))[0] is Reason.INSTRUMENT_AMBIGUOUS
    later = option("ABCJAN", "ABC", date(2027, 1, 25), "100")
    assert found("ABC26DEC100CE", master=a_master_with(*weeks, later)) == "ABC8"


def test_the_brokers_own_name_of_a_month_is_not_doubted_where_the_list_ends_with_that_month():
    def future(symbol: str, day: int) -> Instrument:
        return Instrument("BFO", symbol, symbol, Kind.FUTURE, "OTHEREX", date(2026, 12, day), lot=Decimal(20))

    master = a_master_with(future("OTHEREX26D04FUT", 4), future("OTHEREX26DECFUT", 31))
    assert found("OTHEREX26DECFUT", "BFO", master) == "OTHEREX26DECFUT"
    assert found("OTHEREX26D04FUT", "BFO", master) == "OTHEREX26D04FUT"
    assert refused("BSE:OTHEREXZ2026", "BSE", master)[0] is Reason.INSTRUMENT_AMBIGUOUS


def test_a_strike_that_the_week_has_and_the_month_has_not_is_unknown():
    reason, detail = refused("NIFTY26DEC24050CE")
    assert reason is Reason.INSTRUMENT_UNKNOWN
    assert "nearest: NFO NIFTY29DEC26C24000" in detail
    assert found("NIFTY26D0824050CE") == "NIFTY08DEC26C24050"


def test_october_to_december_are_letters_and_no_other_month_is():
    """Builders that wrote J for January broke."""
    assert found("NIFTY26D0124000PE") == "NIFTY01DEC26P24000"
    assert found("NIFTY27J2524000PE") is None
    assert found("NIFTY2712524000PE") == "NIFTY25JAN27P24000"


def test_roots_may_have_digits():
    assert found("360ONE26DEC1100CE") == "360ONE29DEC26C1100"
    assert found("NIFTYNXT5026DEC69000CE") == "NIFTYNXT5029DEC26C69000"
    assert found("20MICRONS", "NSE") == "20MICRONS-EQ"
    assert found("726GS2033", "NSE") == "726GS2033-GS"


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("GOLD27FEBFUT", "GOLD05FEB27"),
        ("GOLDM27JANFUT", "GOLDM05JAN27"),
        ("GOLDGUINEA26DECFUT", "GOLDGUINEA31DEC26"),
        ("GOLDPETAL26DECFUT", "GOLDPETAL31DEC26"),
        ("GOLDTEN26DECFUT", "GOLDTEN31DEC26"),
        ("GOLDX26DECFUT", None),
        ("GOL26DECFUT", None),
    ],
)
def test_a_root_is_never_a_beginning(name, symbol):
    assert found(name, "MCX") == symbol


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("M_M", "M&M-EQ"),
        ("BAJAJ_AUTO", "BAJAJ-AUTO-EQ"),
        ("GVT_D", "GVT&D-EQ"),
        ("J_KBANK", "J&KBANK-EQ"),
        ("M&M", "M&M-EQ"),
        ("BAJAJ-AUTO", "BAJAJ-AUTO-EQ"),
        ("NAM_INDIA", "NAM-INDIA-EQ"),
    ],
)
def test_charts_write_signs_as_underscores(name, symbol):
    assert found(name, "NSE") == symbol


def test_two_names_that_fold_to_one_are_ambiguous():
    other = Instrument("NSE", "M-M-EQ", "9", Kind.EQUITY, "M-M", lot=Decimal(1), series="EQ")
    assert refused("M_M", "NSE", a_master_with(other))[0] is Reason.INSTRUMENT_AMBIGUOUS


def test_signs_are_folded_and_not_left_out():
    assert found("MM", "NSE") is None
    assert found("M_M26DEC3200CE") == "M&M29DEC26C3200"


@pytest.mark.parametrize(
    ("name", "exchange"),
    [
        ("NIFTY", "NSE"), ("NIFTY 50", "NSE"), ("NIFTY50-INDEX", "NSE"), ("Nifty 50", "NSE"), ("BANKNIFTY", "NSE"),
        ("NIFTY BANK", "NSE"), ("NIFTY_MID_SELECT", "NSE"), ("NIFTY_NEXT_50", "NSE"), ("SENSEX", "BSE"),
        ("BANKEX", "BSE"), ("INDIAVIX", "NSE"),
        ("NIFTY INDEX", "NSE"), ("FINNIFTY", "NSE"), ("Nifty Fin Services", "NSE"),
        ("NIFTY", "NFO"), ("NSE:NIFTY", "NSE"), ("BSX", "BSE"),
    ],
)  # fmt: skip
def test_an_index_cannot_be_traded_by_itself(name, exchange):
    assert refused(name, exchange)[0] is Reason.INSTRUMENT_NOT_TRADABLE


def test_an_underlying_names_no_contract():
    reason, detail = refused("GOLD", "MCX")
    assert reason is Reason.INSTRUMENT_NOT_TRADABLE
    assert "GOLD04DEC26" in detail
    assert refused("RELIANCE", "NFO")[0] is Reason.INSTRUMENT_NOT_TRADABLE


@pytest.mark.parametrize("name", ["NIFTY1!", "NSE:NIFTY1!", "NIFTY2!", "BANKNIFTY1!"])
def test_a_continuous_future_needs_a_rule(name):
    reason, detail = refused(name, "NSE")
    assert reason is Reason.INSTRUMENT_AMBIGUOUS
    assert "roll_days" in detail


def test_the_rule_says_which_contract_a_continuous_future_is():
    assert found("NIFTY1!", "NSE", roll_days=0) == "NIFTY29DEC26F"
    assert found("NIFTY2!", "NSE", roll_days=0) == "NIFTY25JAN27F"
    assert found("NIFTY1!", "NSE", roll_days=30) == "NIFTY25JAN27F"
    assert found("GOLDM1!", "MCX", roll_days=4) == "GOLDM04DEC26"
    assert found("GOLDM1!", "MCX", roll_days=5) == "GOLDM05JAN27"
    assert found("BSX1!", "BSE", roll_days=0) == "SENSEX26DECFUT"
    assert refused("NIFTY9!", "NSE", roll_days=0)[0] is Reason.INSTRUMENT_UNKNOWN


def test_a_continuous_future_of_a_currency_is_the_monthly_contract():
    assert found("USDINR1!", "NSE", roll_days=0) == "USDINR29DEC26F"
    assert found("USDINR2!", "CDS", roll_days=0) == "USDINR27JAN27F"
    cut_off = [each for each in listed() if isinstance(each, Instrument) and each.symbol < "USDINR27JAN27F"]
    masters = MemoryInstruments()
    masters.load(
        MasterFacts("paper", TODAY, NOW),
        [each for each in cut_off if each.expiry != date(2026, 12, 29)],
        print,
    )
    master = masters.current("paper")
    assert master is not None
    assert resolve("USDINR1!", "NSE", master, TODAY, roll_days=0).reason is Reason.INSTRUMENT_UNKNOWN


def test_on_its_last_day_a_contract_is_still_the_current_one():
    for day, symbol in ((date(2026, 12, 29), "NIFTY29DEC26F"), (date(2026, 12, 30), "NIFTY25JAN27F")):
        assert symbol_of(resolve("NIFTY1!", "NSE", a_master(), day, roll_days=0)) == symbol


def test_strikes_have_decimals_and_no_trailing_zeros():
    assert found("VEDL29DEC26292.5CE") == "VEDL29DEC26C292.5"
    assert found("VEDL26DEC292.50CE") == "VEDL29DEC26C292.5"
    assert found("USDINR29DEC26C88.25", "CDS") == "USDINR29DEC26C88.25"
    assert found("IDEA26DEC8.5PE") == "IDEA29DEC26P8.5"


def test_a_lot_is_that_of_the_contracts_own_row():
    lots = {
        name: resolve(name, "NFO", a_master(), TODAY).found.lot
        for name in ("RELIANCE26DECFUT", "RELIANCE27FEBFUT")
    }
    assert lots == {"RELIANCE26DECFUT": 500, "RELIANCE27FEBFUT": 450}


def test_a_name_without_a_day_that_weeks_share_is_ambiguous():
    assert refused("NIFTY-Dec2026-24000-CE")[0] is Reason.INSTRUMENT_AMBIGUOUS
    assert found("NIFTY-Jan2027-24000-CE") == "NIFTY25JAN27C24000"


def test_an_expired_contract_is_called_expired_also_where_the_list_still_has_it():
    for name in (
        "NIFTY26NOV24500CE",
        "NIFTY23NOV26C24500",
        "NIFTY23NOV2624500CE",
        "NSE:NIFTY261123C24500",
        "NIFTY23NOV26F",
    ):
        assert refused(name)[0] is Reason.INSTRUMENT_EXPIRED, name


def test_yesterdays_list_does_not_bring_back_what_expired_today():
    assert resolve("NIFTY01DEC26C24000", "NFO", a_master(), date(2026, 12, 1)).reason is None
    told = resolve("NIFTY01DEC26C24000", "NFO", a_master(), date(2026, 12, 2))
    assert told.reason is Reason.INSTRUMENT_EXPIRED


def test_the_exchange_counts():
    assert found("RELIANCE", "NSE") == "RELIANCE-EQ"
    assert found("RELIANCE", "BSE") == "RELIANCE"
    reason, detail = refused("AMBANIORG", "NSE")
    assert (reason, "BSE AMBANIORG" in detail) == (Reason.INSTRUMENT_UNKNOWN, True)
    assert found("NSE:RELIANCE1!", "NSE", roll_days=0) == "RELIANCE29DEC26F"
    assert found("BSE:RELIANCE1!", "BSE", roll_days=0) == "RELIANCE26DECFUT"
    assert refused("NSE:RELIANCE", "MCX")[0] is Reason.INSTRUMENT_UNKNOWN
    assert found("MCX:CRUDEOIL16DEC26C5400", "NSE") is None


def test_the_product_code_of_bse_is_its_index():
    assert found("BSE:BSX261231C79000", "BSE") == "SENSEX26DEC79000CE"
    assert found("BKX261231P58000", "BSE") == "BANKEX26DEC58000PE"
    assert found("BSX261203C79000", "NSE") is None


def test_the_series_of_a_share_counts():
    assert found("INFY", "NSE") == "INFY-EQ"
    assert found("INFY-BL", "NSE") == "INFY-BL"
    assert found("INFY-BE", "NSE") is None
    told = resolve("RAJOIL", "NSE", a_master(), TODAY)
    assert symbol_of(told) == "RAJOIL-BE"
    assert any("delivery" in note for note in told.notes)
    assert refused("TWICE", "NSE")[0] is Reason.INSTRUMENT_AMBIGUOUS


@pytest.mark.parametrize("series", ["N1", "NA", "E1", "Y2", "BL"])
def test_a_companys_name_alone_never_means_its_bonds_or_rights(series):
    other = Instrument(
        "NSE", f"ONLYBONDS-{series}", "9", Kind.EQUITY, "ONLYBONDS", lot=Decimal(1), series=series
    )
    master = a_master_with(other)
    assert refused("ONLYBONDS", "NSE", master)[0] is Reason.INSTRUMENT_UNKNOWN
    assert found(f"ONLYBONDS-{series}", "NSE", master) == f"ONLYBONDS-{series}"


@pytest.mark.parametrize(
    "name",
    ["NIFTY26D3224000CE", "NIFTY31FEB2724000CE", "NIFTY26D08024000CE", "NIFTY261308C24000", "NIFTY26D0824000XE",
     "NIFTY26D0824000C", "NIFTY 26D0824000CE", "", "!", "1!", ":", "NSE:", "-", "|", "NIFTY26D08-24000CE", "٣"],
)  # fmt: skip
def test_what_is_no_name_is_unknown(name):
    assert refused(name)[0] is Reason.INSTRUMENT_UNKNOWN


def test_the_users_own_symbol_is_read_in_no_other_way():
    master = a_master_with(
        option("NIFTY27DEC27500CE", "NIFTY", date(2027, 12, 28), "27500"),
        option("TWO", "NIFTY", date(2027, 12, 27), "500"),
    )
    assert refused("NIFTY27DEC27500CE", master=master)[0] is Reason.INSTRUMENT_AMBIGUOUS
    assert symbol_of(resolve("NIFTY27DEC27500CE", "NFO", master, TODAY, is_exact=True)) == "NIFTY27DEC27500CE"


def test_a_contract_that_has_ended_is_called_so_although_its_name_may_mean_a_year_to_come():
    """30 January 2025, or January 2030 with a strike of two million and a half."""
    for name in ("NIFTY30JAN2521500CE", "SENSEX23JAN2572000CE"):
        reason, detail = refused(name, "BFO" if name.startswith("SENSEX") else "NFO")
        assert reason is Reason.INSTRUMENT_EXPIRED
        assert "expired on 2025-01-" in detail
