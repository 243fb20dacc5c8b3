"""The reader of all other platforms: fields under their usual names, each of them certain."""

from alerts.formats.layout import Layout
from alerts.formats.words import FIELDS, Role

USUAL = Layout(
    name="usual-fields",
    marks=(
        *FIELDS[Role.SYMBOL],
        *FIELDS[Role.SYMBOL_TOO],
        *FIELDS[Role.SIDE],
        "strategy.orderaction",
        "order.action",
        "order.side",
        "data.action",
        "order.symbol",
    ),
)
