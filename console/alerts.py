"""The alerts: every delivery with what became of it, what one would do, and a way to try one out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.parameters import BadParameter, Parameters
from console.replaying import AlertReplays, add_replaying
from console.request_parsing import query_of
from domain.ports.read_model import Row
from domain.refused_deliveries import RefusedDeliveries

_DAY = timedelta(hours=24)
_MOST = 200
_SHOW = ("all", "refused")
SAMPLE = {
    "secret_key": "YOUR_WEBHOOK_SECRET",
    "execution_type": "ENTRY",
    "strategy_name": "TEST",
    "exchange": "NSE",
    "test_mode": "SUCCESS",
    "legs": [
        {"tradingsymbol": "INFY", "direction": "BUY", "qty": 1, "product_type": "MIS", "order_type": "MARKET"}
    ],
}


@dataclass(frozen=True, slots=True)
class AlertDoor:
    """What the alerts' side offers to the page.

    Args:
        preview: says what a body would do, of a format (None: recognised); touches nothing.
        strangers: returns the deliveries that were refused because nobody knows their sender.
        try_out: sends a delivery with our own secret through the whole way; returns the status and the answer.
        replays: registers kept alerts anew; None: it cannot be done here.
    """

    preview: Callable[[bytes, str | None], Mapping[str, Any]]
    strangers: Callable[[], RefusedDeliveries | None] = lambda: None
    try_out: Callable[[Mapping[str, Any]], tuple[int, Mapping[str, Any]]] | None = None
    replays: AlertReplays | None = None


def add_alerts(blueprint: Blueprint, desk: Desk, door: AlertDoor) -> None:
    """Add the page and the JSON of deliveries to the blueprint."""
    if door.replays is not None:
        add_replaying(blueprint, desk, door.replays)

    @blueprint.get("/api/alerts")
    def list_alerts() -> ResponseReturnValue:
        query = query_of(request, ("show", "limit", "cursor"))
        rows, cursor = _page(desk, query, default_limit=50)
        strangers = door.strangers()
        return {
            "alerts": [{**row, "orders": [_leg(o) for o in row["orders"]]} for row in rows],
            "next": cursor,
            "last_24_hours": desk.reader.alert_counts(desk.clock.now() - _DAY),
            "refused_senders": None if strangers is None else strangers.total,
        }

    @blueprint.get("/alerts")
    def alerts() -> ResponseReturnValue:
        return _render(desk, door, query_of(request, ("show", "cursor")))

    @blueprint.post("/alerts")
    def try_alert() -> ResponseReturnValue:
        """Say what the body that was typed would do; or send the test alert, and say what was answered."""
        query = Parameters({})
        if request.form.get("wish") == "send" and door.try_out is not None:
            status, answer = door.try_out({name: SAMPLE[name] for name in SAMPLE if name != "secret_key"})
            return _render(desk, door, query, sent={"status": status, "answer": json.dumps(answer, indent=2)})
        typed = request.form.get("body", "")
        wish = request.form.get("format", "").strip() or None
        said = door.preview(typed.encode(), wish)
        return _render(desk, door, query, typed=typed, said=said)


def _page(desk: Desk, query: Parameters, *, default_limit: int) -> tuple[list[Row], str | None]:
    show = query.text("show") or "all"
    if show not in _SHOW:
        raise BadParameter("show", f"expected one of {', '.join(_SHOW)}")
    limit = query.number("limit", default=default_limit, low=1, high=_MOST)
    try:
        return desk.reader.alerts(rejected_only=show == "refused", limit=limit, cursor=query.text("cursor"))
    except ValueError as error:
        raise BadParameter("cursor", "is not one that this list gave") from error


def _render(desk: Desk, door: AlertDoor, query: Parameters, **values: Any) -> str:
    rows, cursor = _page(desk, query, default_limit=25)
    show = query.text("show") or "all"
    kept = None if show == "all" else show
    return render_template(
        "console/alerts.html",
        header=desk.header(desk.clock.now()),
        alerts=[{**row, "context": _context(row)} for row in rows],
        show=show,
        older=url_for("console.alerts", cursor=cursor, show=kept) if cursor else None,
        newest=url_for("console.alerts", show=kept) if query.text("cursor") else None,
        counts=desk.reader.alert_counts(desk.clock.now() - _DAY),
        strangers=door.strangers(),
        sample=json.dumps(SAMPLE, indent=2),
        webhook=f"{request.url_root}webhook",
        can_send=door.try_out is not None,
        can_replay=door.replays is not None,
        **({"typed": "", "said": None, "sent": None} | values),
    )


def _context(row: Row) -> Mapping[str, Any]:
    """What the reader noted of the delivery, such as the field at fault; nothing where it noted none."""
    try:
        noted = json.loads(row["context_json"] or "{}")
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def _leg(order: Row) -> Row:
    return {name: order[name] for name in ("command_id", "symbol", "side", "quantity", "status", "tag")}
