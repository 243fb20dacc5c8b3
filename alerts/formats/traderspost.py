"""TradersPost: `{"ticker", "action", "sentiment", "quantity", "orderType", "limitPrice", …}`.

`price` and `signalPrice` are the price at the signal; a limit stands in `limitPrice` alone. The `amount`
of a stop or a target is a distance from the entry's price. `quantityType` may be `dollar_amount`, `risk_dollar_amount`
(what may be lost at the stop) and `percent_of_equity`; a percentage of a position is refused.
"""

from alerts.formats.guards import USUAL, Guard, Part
from alerts.formats.layout import Layout, SizeUnit
from alerts.formats.words import Role
from domain.protection_terms import LevelUnit
from domain.sizing import SizeMode

TRADERSPOST = Layout(
    name="traderspost",
    needs=("ticker", "action"),
    marks=(
        "sentiment", "signalprice", "takeprofit", "stoploss", "limitprice", "quantitytype", "cancel",
        "cancelordertype", "extendedhours", "optiontype", "strikesaway",
    ),
    fields={
        Role.LIMIT: ("limitprice",),
        Role.PRICE: (),
        Role.REFERENCE: ("signalprice", "price"),
        Role.TRIGGER: ("stopprice",),
        Role.ORDER_TYPE: ("ordertype",),
        Role.POSITION: ("sentiment",),
    },
    size_units={
        "dollaramount": SizeUnit(SizeMode.NOTIONAL, "USD"),
        "riskdollaramount": SizeUnit(SizeMode.RISK, "USD"),
        "percentofequity": SizeUnit(SizeMode.EQUITY_PERCENT),
    },
    guards={
        **USUAL,
        "takeprofit.limitprice": Guard(Part.TARGET, LevelUnit.PRICE),
        "takeprofit.percent": Guard(Part.TARGET, LevelUnit.PERCENT),
        "takeprofit.amount": Guard(Part.TARGET, LevelUnit.POINTS),
        "stoploss.type": Guard(Part.KIND),
        "stoploss.stopprice": Guard(Part.STOP, LevelUnit.PRICE),
        "stoploss.percent": Guard(Part.STOP, LevelUnit.PERCENT),
        "stoploss.amount": Guard(Part.STOP, LevelUnit.POINTS),
        "stoploss.trailpercent": Guard(Part.TRAIL, LevelUnit.PERCENT),
        "stoploss.trailamount": Guard(Part.TRAIL, LevelUnit.POINTS),
    },
)  # fmt: skip
