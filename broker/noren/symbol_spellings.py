"""Remember how the broker spells symbols."""

from collections.abc import Iterable

from broker.fields import text_of


class SymbolSpellings:
    """The broker's spelling of symbols that it does not write in capitals. Safe to call from several threads.

    Our orders have their symbols in capitals, and symbols are compared in capitals. A request contains the spelling
    that the broker has shown.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def note(self, found: Iterable[object]) -> None:
        """Remember the symbols in these rows that are not written in capitals."""
        for row in found:
            if isinstance(row, dict):
                exchange, symbol = text_of(row, "exch").upper(), text_of(row, "tsym")
                if symbol != symbol.upper():
                    self._known[exchange, symbol.upper()] = symbol

    def as_there(self, fields: dict[str, str]) -> dict[str, str]:
        """Return an order's fields with the symbol as the broker spells it."""
        symbol = self._known.get((fields["exch"].upper(), fields["tsym"].upper()))
        return fields if symbol is None else {**fields, "tsym": symbol}
