"""3Commas' signal bots: `tv_instrument`, `action`, `order.amount` with its currency; `trigger_price` is the close."""

from alerts.formats.layout import Layout
from alerts.formats.words import Role

THREE_COMMAS = Layout(
    name="3commas",
    needs=("tvinstrument", "action"),
    secret=("secret",),
    fields={Role.REFERENCE: ("triggerprice",), Role.TRIGGER: (), Role.SYMBOL: ("tvinstrument",)},
)
