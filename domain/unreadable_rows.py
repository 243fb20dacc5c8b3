"""What a row of the broker's positions that cannot be read stands in the way of, in the words of every report of it."""

from collections.abc import Sequence

from domain.broker_reports import UnreadableRow


def place_of(row: UnreadableRow) -> str:
    """`NSE INFY`, or which symbols a row may be of that names none."""
    if row.symbol is not None:
        return " ".join(filter(None, (row.exchange, row.symbol)))
    kind = " ".join(filter(None, (row.exchange, row.product)))
    return f"every symbol{f' of {kind}' if kind else ''} that no other row tells of"


def stops_all_entries(rows: Sequence[UnreadableRow], *, loss_is_limited: bool) -> bool:
    """True where a daily loss limit is set and the rows hide how much was lost."""
    return loss_is_limited and any(row.has_pnl for row in rows)


def what_they_stop(rows: Sequence[UnreadableRow], client_id: str, *, loss_is_limited: bool) -> str:
    """`exits of NSE INFY wait and entries there are blocked`, and whether the client's other entries are too."""
    places = "; ".join(dict.fromkeys(map(place_of, rows)))
    text = f"exits of {places} wait and entries there are blocked"
    if stops_all_entries(rows, loss_is_limited=loss_is_limited):
        text += (
            f"; with the daily loss limit all entries of {client_id} are blocked, for its loss is not known"
        )
    return text
