"""OpenAlgo: an order, a smart order (with the position to reach), or a basket of orders."""

from alerts.formats.layout import Layout
from alerts.formats.words import Role

OPENALGO = Layout(
    name="openalgo",
    needs=("apikey",),
    marks=("action", "orders", "pricetype"),
    secret=("apikey",),
    legs=("orders", "legs"),
    fields={Role.TRIGGER: ("triggerprice",), Role.ORDER_TYPE: ("pricetype",)},
    targets=True,
)
