"""The dialects that alerts may be written in, in the order in which they are tried. The first one is the default."""

from alerts.formats.description import Dialects
from alerts.formats.native import NATIVE

DIALECTS = Dialects(
    NATIVE,
)
