"""Format what the operator's commands print: rows as tables, ages, the state of a cancel, why a command is refused.

The functions are pure: `cli.py` prints their results.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from domain.cancellation import cancel_under_way
from domain.errors import OrderwatchError

Row = Mapping[str, Any]


class Refused(OrderwatchError):
    """The command cannot be carried out as it was typed."""


def table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The rows below the columns' names, aligned."""
    cells = [list(columns), *([_cell(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cell(value: object) -> str:
    return "-" if value is None else str(value).replace("\n", " ")


def facts(story: Row) -> str:
    """The values of an order's row, one per line, and the state of a cancel that is under way."""
    lines = {name: value for name, value in story["order"].items() if value is not None}
    under_way = cancel_under_way(story["order"], story["events"])
    if under_way is not None:
        lines["cancel under way"] = under_way.told()
    return "\n".join(f"{name:<24}{value}" for name, value in lines.items())


def cancel_told(story: Row) -> str:
    """The result of asking for a cancel: the order has ended, or the broker was asked and has not confirmed."""
    order, under_way = story["order"], cancel_under_way(story["order"], story["events"])
    id_ = order["command_id"]
    if under_way is None:
        why = f": {order['reason_message']}" if order["reason_message"] else ""
        return f"{id_} is {order['status']} {order['tag'] or ''}".rstrip() + why
    return (
        f"{id_}: a cancel is {under_way.told()}\n"
        f"filled so far: {order['filled_quantity']} of {order['quantity']}; what is filled stays, "
        f"and the broker's book says what becomes of the rest: python cli.py show {id_}"
    )


def age_text(age: timedelta) -> str:
    """`30h00m`."""
    minutes = int(age.total_seconds() // 60)
    return f"{minutes // 60}h{minutes % 60:02}m"
