"""TradersPost: `{"ticker", "action", "sentiment", "quantity", "orderType", "limitPrice", …}`.

`price` and `signalPrice` are the price at the signal; a limit stands in `limitPrice` alone.
"""

from alerts.formats.layout import Layout
from alerts.formats.words import Role

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
)  # fmt: skip
