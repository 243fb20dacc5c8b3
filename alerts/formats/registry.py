"""The dialects that alerts may be written in, in the order in which they are tried. The first one is the default."""

from collections.abc import Iterable, Mapping

from alerts.formats.angel import ANGEL
from alerts.formats.bots import BOTS
from alerts.formats.chartink import CHARTINK
from alerts.formats.description import Dialects
from alerts.formats.dhan import DHAN
from alerts.formats.kite import KITE, KITE_ORDERS
from alerts.formats.layout import Layout
from alerts.formats.native import NATIVE
from alerts.formats.notice import NOTICE
from alerts.formats.of_layout import dialect_of_layout
from alerts.formats.openalgo import OPENALGO
from alerts.formats.own import own_layout
from alerts.formats.pairs import PAIRS
from alerts.formats.texts import TEXTS
from alerts.formats.threecommas import THREE_COMMAS
from alerts.formats.traderspost import TRADERSPOST
from alerts.formats.tradingview import JSON, TEXT
from alerts.formats.usual import USUAL

LAYOUTS = (
    DHAN, OPENALGO, CHARTINK, THREE_COMMAS, ANGEL, KITE, KITE_ORDERS, TRADERSPOST, *BOTS, *PAIRS, *TEXTS, TEXT, JSON,
    NOTICE, USUAL,
)  # fmt: skip

DIALECTS = Dialects(NATIVE, *map(dialect_of_layout, LAYOUTS))


def dialects_with(own: Iterable[tuple[str, Mapping[str, object]]]) -> Dialects:
    """The dialects, and those that users describe (name and table), which are tried before all but the first.

    Raises:
        UnfitFormat: a table describes no dialect.
    """
    layouts: list[Layout] = []
    for name, table in own:
        layouts.append(own_layout(name, table, {*DIALECTS.names, *(each.name for each in layouts)}))
    return Dialects(NATIVE, *map(dialect_of_layout, [*layouts, *LAYOUTS])) if layouts else DIALECTS
