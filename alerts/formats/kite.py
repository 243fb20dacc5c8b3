"""Bots that pass their alert to Kite Connect: `transaction_type`, `tradingsymbol`, `order_type`, `product`."""

from alerts.formats.layout import Layout
from alerts.formats.words import Role

KITE = Layout(
    name="kite",
    marks=("transactiontype", "spreadlegs"),
    legs=("orders", "spreadlegs"),
    fields={Role.TRIGGER: ("triggerprice",), Role.SIDE: ("transactiontype",)},
)
KITE_ORDERS = Layout(
    name="kite-orders",
    needs=("orders",),
    legs=("orders",),
    fields={Role.TRIGGER: ("triggerprice",)},
)
"""A list of orders without anything beside it."""
