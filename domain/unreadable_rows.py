"""Say what an unreadable row of the broker's positions prevents, with the same text in every report of it."""

from collections.abc import Sequence

from domain.broker_reports import UnreadableRow


def place_of(row: UnreadableRow) -> str:
    """Return the row's place, such as `NSE INFY`, or the symbols that a row without a symbol may be of."""
    if row.symbol is not None:
        return " ".join(filter(None, (row.exchange, row.symbol)))
    kind = " ".join(filter(None, (row.exchange, row.product)))
    return f"every symbol{f' of {kind}' if kind else ''} that no other row tells of"


def stops_all_entries(rows: Sequence[UnreadableRow], *, loss_is_limited: bool) -> bool:
    """Return True where a daily loss limit is set and the rows hide how much was lost."""
    return loss_is_limited and any(row.has_pnl for row in rows)


def what_they_stop(rows: Sequence[UnreadableRow], client_id: str, *, loss_is_limited: bool) -> str:
    """Return a text such as `exits of NSE INFY wait and entries there are blocked`.

    It also says when all other entries of the client are blocked.
    """
    places = "; ".join(dict.fromkeys(map(place_of, rows)))
    text = f"exits of {places} wait and entries there are blocked"
    if stops_all_entries(rows, loss_is_limited=loss_is_limited):
        text += (
            f"; with the daily loss limit all entries of {client_id} are blocked, for its loss is not known"
        )
    return text
