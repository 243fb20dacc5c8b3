"""Angel One's SmartAPI: `tradingsymbol`, `symboltoken`, `transactiontype`, `producttype`, `duration`."""

from alerts.formats.layout import Layout
from alerts.formats.words import Role

ANGEL = Layout(
    name="angel",
    needs=("symboltoken", "transactiontype"),
    fields={
        Role.SYMBOL: ("tradingsymbol",),
        Role.SIDE: ("transactiontype",),
        Role.ORDER_TYPE: ("ordertype",),
        Role.TRIGGER: ("triggerprice",),
    },
)
