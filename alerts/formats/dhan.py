"""Dhan: one order, or several in `order_legs`. The quantity of a future or an option is in lots, so it is refused."""

from alerts.formats.layout import Layout
from alerts.formats.words import Role

DHAN = Layout(
    name="dhan",
    needs=("alerttype",),
    marks=("transactiontype", "orderlegs"),
    secret=("secret",),
    legs=("orderlegs",),
    fields={Role.SYMBOL: ("symbol",), Role.SIDE: ("transactiontype",), Role.TRIGGER: ("triggerprice",)},
    refused={
        "alerttype": frozenset(["exitall", "cancelall"]),
        "instrument": frozenset(
            [
                "opt",
                "fut",
                "optidx",
                "optstk",
                "futidx",
                "futstk",
                "futcom",
                "optfut",
                "futcur",
                "optcur",
                "f",
            ]
        ),
        "manageposition": frozenset(["exitall", "exit", "exitprofit", "exitloss", "reverse"]),
    },
)
