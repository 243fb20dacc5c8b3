"""What is held, by strategy and with what protects it; the day's course; how near the limits are."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.equity_chart import CoursePoint, chart_of
from console.parameters import BadParameter, Parameters, operator_of
from console.request_parsing import body_of, query_of
from domain.account_state import AccountState
from domain.errors import InvalidProtection, NotFound
from domain.money import ZERO, decimal_text, parse_decimal
from domain.ports.read_model import Row
from domain.times import parse_time

_MOST_PROTECTIONS = 500
_LEVELS = ("stop_price", "target_price")
_FORM = ("wish", *_LEVELS, "confirm", "reason", "by")


def add_positions(blueprint: Blueprint, desk: Desk) -> None:
    """Add the pages, and the JSON of what is held, to the blueprint."""

    @blueprint.get("/api/positions")
    def list_positions() -> ResponseReturnValue:
        """Answer what is held, as brokers and our own fills say, with the age of that knowledge."""
        client = query_of(request, ("client",)).text("client")
        if client is not None and client not in desk.modes:
            raise NotFound(f"no client {client!r}; there is {', '.join(desk.modes)}")
        rows = positions_of(desk, desk.clock.now())
        shown = [as_json(row) for row in rows if client in (None, row["client_id"])]
        return {"positions": shown}

    @blueprint.get("/positions")
    def positions() -> ResponseReturnValue:
        now = desk.clock.now()
        header = desk.header(now)
        return render_template(
            "console/positions.html",
            header=header,
            positions=positions_of(desk, now),
            days=[_day_of(desk, client) for client in desk.modes],
            not_compared=desk.positions_compared(now)["not_compared"],
        )

    @blueprint.get("/trading")
    def trading() -> ResponseReturnValue:
        return render_template(
            "console/trading.html", header=desk.header(desk.clock.now()), wishes=tuple(AccountState)
        )

    _add_protection_page(blueprint, desk)


def _add_protection_page(blueprint: Blueprint, desk: Desk) -> None:
    @blueprint.get("/protections/<protection_id>")
    def protection(protection_id: str) -> ResponseReturnValue:
        return page(protection_id)

    @blueprint.post("/protections/<protection_id>")
    def change(protection_id: str) -> ResponseReturnValue:
        fields = body_of(request, _FORM)
        try:
            said = _change(desk, protection_id, fields)
        except (BadParameter, InvalidProtection) as error:
            return page(protection_id, trouble={"field": error.field, "message": error.message}), 400
        return page(protection_id, said=said)

    def page(protection_id: str, **values: Any) -> str:
        found = desk.reader.protection(protection_id)
        if found is None:
            raise NotFound(f"no protection {protection_id}")
        given = {name: request.form.get(name, "") for name in _FORM}
        header = desk.header(desk.clock.now())
        return render_template(
            "console/protection.html",
            header=header,
            p=found,
            given=given,
            distance=distances(found),
            **values,
        )


def _change(desk: Desk, protection_id: str, fields: Parameters) -> str:
    by = operator_of(fields)
    if fields.text("wish") == "cancel":
        desk.control.cancel_protection(protection_id, by=by, reason=fields.required("reason"))
        return "The protection has ended. The position stays, and nothing closes it by itself."
    stop, target = (fields.price(name) if fields.text(name) else None for name in _LEVELS)
    if stop is None and target is None:
        raise BadParameter("stop_price", "give a stop, a target or both")
    confirmed = fields.text("confirm") is not None
    desk.control.tighten_protection(protection_id, stop=stop, target=target, by=by, is_confirmed=confirmed)
    return "The levels are set. The watcher looks at them with each price."


def positions_of(desk: Desk, now: datetime) -> list[Row]:
    """List what is open: a row for each position of a broker, and for what strategies hold that no position shows.

    Each has its `parts`, one for each strategy that holds of it, with its profit and loss of the day and `protections`.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    holdings = [h for h in desk.reader.holdings() if Decimal(h["net_quantity"])]
    protected = desk.reader.protections(client_id=None, open_only=True, limit=_MOST_PROTECTIONS)
    results: dict[tuple[str, ...], Row] = {
        (client, r["strategy_name"], r["exchange"], r["symbol"]): r
        for client in desk.modes
        for r in desk.control.pnl(client)["symbols"]
    }
    ages = {row["client_id"]: row["positions_read_at"] for row in desk.reader.accounts()}
    rows, shown = [], set[tuple[str, ...]]()
    for p in desk.reader.positions():
        place = _place(p)
        own = [h for h in holdings if _place(h) == place]
        if Decimal(p["net_quantity"]) or own:
            shown.add(place)
            rows.append(_row(p, own, protected, results, ages, now))
    bare = dict.fromkeys(_place(h) for h in holdings if _place(h) not in shown)
    for place in bare:
        own = [h for h in holdings if _place(h) == place]
        unseen = dict(zip(("client_id", "exchange", "symbol", "product"), place, strict=True))
        rows.append(_row({**unseen, "net_quantity": None}, own, protected, results, ages, now))
    return sorted(rows, key=lambda row: (row["client_id"], row["symbol"], row["exchange"], row["product"]))


def _row(
    position: Row,
    holdings: Sequence[Row],
    protected: Sequence[Row],
    results: Mapping[tuple[str, ...], Row],
    ages: Mapping[str, str | None],
    now: datetime,
) -> Row:
    last = position.get("last_price")
    read_at = ages.get(position["client_id"])
    known = [position.get(name) for name in ("realized_pnl", "unrealized_pnl")]
    return {
        **position,
        "last_price": last,
        "pnl": None if None in known else decimal_text(sum(map(Decimal, known), ZERO)),  # type: ignore[arg-type]
        "read_at": read_at,
        "age_seconds": None if read_at is None else round((now - parse_time(read_at)).total_seconds(), 3),
        "parts": [_part(h, protected, results, last) for h in holdings],
    }


def _part(
    holding: Row, protected: Sequence[Row], results: Mapping[tuple[str, ...], Row], last: str | None
) -> Row:
    where = tuple(holding[name] for name in ("client_id", "strategy_name", "exchange", "symbol"))
    result = results.get(where)
    pnl = None
    if result is not None and result["unrealized"] is not None:
        figures = (result["realized"], result["unrealized"])
        pnl = decimal_text(sum(map(Decimal, figures), ZERO) - Decimal(result["carried"]))
    own = [
        {**p, "distance": distances(p, last)}
        for p in protected
        if tuple(p[name] for name in ("client_id", "strategy_name", "exchange", "symbol")) == where
    ]
    return {**holding, "pnl": pnl, "protections": own}


def distances(protection: Row, last: str | None = None) -> dict[str, Row]:
    """Return how far the price is from the stop and from the target, by name; nothing of what is not known.

    Each has `away`, above zero while the level is not met, and its `percent` of the price.
    """
    price_text = protection["mark_price"] or last
    if protection["is_unknown"] or price_text is None:
        return {}
    price, long = Decimal(price_text), protection["side"] == "BUY"
    found = {}
    for name, field, above in (("stop", "stop_price", long), ("target", "target_price", not long)):
        if protection[field] is not None:
            level = Decimal(protection[field])
            away = price - level if above else level - price
            percent = f"{away / price * 100:.2f}" if price else None
            found[name] = {"away": decimal_text(away), "percent": percent, "is_met": away <= 0}
    return found


def _place(row: Row) -> tuple[str, ...]:
    return row["client_id"], row["exchange"], row["symbol"], row["product"]


def as_json(row: Row) -> Row:
    """Return a position as JSON shows it."""
    names = ("client_id", "exchange", "symbol", "product", "net_quantity")
    prices = ("average_price", "last_price", "realized_pnl", "unrealized_pnl")
    return {
        **{name: row[name] for name in names},
        **{name: row.get(name) for name in prices},
        "strategies": {part["strategy_name"]: part["net_quantity"] for part in row["parts"]},
        "protections": [p["protection_id"] for part in row["parts"] for p in part["protections"]],
        "age_seconds": row["age_seconds"],
    }


def _day_of(desk: Desk, client: str) -> Row:
    """Return a client's day: its result, its course, and how near its limits are."""
    pnl, risk = desk.control.pnl(client), desk.control.risk(client)
    return {
        **pnl,
        "chart": chart_of([_point(each) for each in pnl["equity"]]),
        "limits": list(_bars(risk["limits"])),
    }


def _point(kept: Row) -> CoursePoint:
    """Our own figure, or the broker's where ours was not known."""
    total = kept["own"] if kept["own"] is not None else kept["broker"]
    return CoursePoint(parse_time(kept["at"]), None if total is None else parse_decimal(total))


def _bars(limits: Iterable[Row]) -> Iterable[Row]:
    """Add to each limit its use in percent, and whether it is near; None where the use is not known."""
    for limit in limits:
        used, value = limit["use"], Decimal(limit["value"])
        percent = None if used is None or not value else min(int(Decimal(used) / value * 100), 100)
        state = limit["state"]
        if state == "OK" and percent is not None and percent >= 80:
            state = "NEAR"
        yield {**limit, "percent": percent, "state": state}
