"""The reader of all other platforms: fields under their usual names, each of them certain."""

from alerts.formats.cancels import SWITCHES
from alerts.formats.guards import USUAL as USUAL_GUARDS
from alerts.formats.layout import Layout
from alerts.formats.words import CONTAINERS, FIELDS, Role

_NESTED = (*FIELDS[Role.SIDE], "ticker", "symbol")

USUAL = Layout(
    name="usual-fields",
    guards=USUAL_GUARDS,
    marks=(
        *FIELDS[Role.SYMBOL],
        *FIELDS[Role.SYMBOL_TOO],
        *FIELDS[Role.SIDE],
        *SWITCHES,
        *(f"{holder}.{key}" for holder in sorted(CONTAINERS) for key in _NESTED),
    ),
)
