"""The keys `sizing` and `legs` of the strategies file: each mistake is an error that names its key."""

from decimal import Decimal
from pathlib import Path

import pytest

from config.checking import Problems, SettingsError
from config.strategies import read_strategies
from domain.alert_defaults import AlertDefaultsBook
from domain.enums import Side
from domain.instruments.instrument import Kind
from domain.leg_templates import ExpiryWord, LegRule, StrikeRule
from domain.sizing import SizeAsk, SizeMode

LEGS = """
[strategies.S.legs]
underlying = "nifty"
exchange = "NFO"
expiry = "current_week"
buy = [{ right = "CE", side = "SELL", strike = "otm2", lots = 1 }]
"""


def book(folder: Path, text: str) -> AlertDefaultsBook:
    path, problems = folder / "s.toml", Problems()
    path.write_text(text)
    found = read_strategies(path, ["default"], problems)
    problems.raise_any()
    return found.alerts


def test_a_template_is_read(tmp_path):
    legs = book(tmp_path, LEGS).for_strategy("S").legs
    assert legs is not None
    assert (legs.underlying, legs.names, legs.exchange) == ("NIFTY", frozenset({"NIFTY"}), "NFO")
    assert (legs.expiry, legs.sell) == (ExpiryWord.CURRENT_WEEK, ())
    assert legs.buy == (LegRule(Kind.CALL, Side.SELL, Decimal(1), StrikeRule(2)),)


def test_a_strategys_own_size_is_in_place_of_the_defaults(tmp_path):
    text = '[default]\nquantity = 5\n[strategies.M]\nsizing = { mode = "notional", value = 1000 }\n[strategies.Q]\n'
    found = book(tmp_path, f"{text}product = 'MIS'\n")
    assert (found.for_strategy("M").quantity, found.for_strategy("M").sizing) == (
        None, SizeAsk(SizeMode.NOTIONAL, Decimal(1000)),
    )  # fmt: skip
    assert (found.for_strategy("Q").quantity, found.for_strategy("Q").sizing) == (Decimal(5), None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[default]\nsizing = { mode = "money", value = 5 }', "[default] sizing mode: got 'money', expected one"),
        ('[default]\nsizing = { mode = "notional" }', "[default] sizing value: got None, expected a number above 0"),
        ('[default]\nsizing = { mode = "risk_percent", value = 101 }', "sizing value: got 101, expected a percentage"),
        ('[default]\nsizing = { mode = "lots", value = 1.5 }', "expected a whole number of lots"),
        ('[default]\nsizing = { mode = "lots", value = 1, per = 2 }', "[default] sizing per: unknown"),
        ('[default]\nquantity = 1\nsizing = { mode = "lots", value = 1 }', "expected sizing or quantity, got both"),
        ('[default]\nprices_of = ["SBIN"]', '[default] prices_of: expected a list of "EXCHANGE:SYMBOL"'),
        ('[default]\ncurrency = "$"', "[default] currency: got '$'"),
        (LEGS.replace("otm2", "25000"), "[strategies.S.legs] buy leg 1 strike: got '25000', expected ATM"),
        (LEGS.replace("current_week", "weekly"), "[strategies.S.legs] expiry: got 'weekly', expected current_week"),
        (LEGS.replace("lots = 1", "lots = 0"), "[strategies.S.legs] buy leg 1 lots: got 0"),
        (LEGS.replace('"SELL"', '"SHORT"'), "[strategies.S.legs] buy leg 1 side: got 'SHORT'"),
        (LEGS.replace('"CE"', '"CALL"'), "[strategies.S.legs] buy leg 1 right: got 'CALL'"),
        (LEGS.replace("buy = ", "bye = "), "[strategies.S.legs] bye: unknown, did you mean buy?"),
        (LEGS.replace('underlying = "nifty"', ""), "[strategies.S.legs] underlying: not set"),
        (LEGS + "reference = 'NIFTY'", "[strategies.S.legs] reference: expected { exchange"),
    ],
)  # fmt: skip
def test_a_mistake_is_an_error_that_names_its_key(tmp_path, text, complaint):
    with pytest.raises(SettingsError) as error:
        book(tmp_path, text)
    assert complaint in str(error.value)
