"""The page on which an operator closes positions: what would be exited, and one button that asks for it once."""

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.parameters import BadParameter, Parameters, operator_of
from console.request_parsing import query_of
from domain.errors import ConcurrentUpdate, NotFound, PositionsNeverRead
from domain.ids import command_id
from domain.order import Order
from domain.planned_exit import PlannedExit, exit_id
from domain.ports.read_model import Row
from domain.times import is_within, parse_time, time_text

_CHOICE = ("client", "exchange", "symbol", "product", "strategy")
_FIELDS = ("act", "asked_at", "exits", "by")
_MOST_EXITS = 200
VALID_FOR = timedelta(minutes=2)
"""How long what was shown may be confirmed: later the positions may be others."""


def add_exiting(blueprint: Blueprint, desk: Desk) -> None:
    """Add the page to the blueprint. What is shown is what is asked for; each exit is sized by what it finds then."""

    def page(planned: Sequence[PlannedExit], message: str | None = None, field: str | None = None) -> str:
        now = desk.clock.now()
        return render_template(
            "console/exit.html",
            header=desk.header(now),
            planned=planned,
            exits=json.dumps(planned),
            act=secrets.token_urlsafe(12),
            asked_at=time_text(now),
            message=message,
            field=field,
        )

    @blueprint.get("/exit")
    def exits() -> ResponseReturnValue:
        return page(_chosen(desk, query_of(request, _CHOICE)))

    @blueprint.post("/exit")
    def exit_now() -> ResponseReturnValue:
        fields = Parameters(
            {name: request.form.get(name) for name in ("act", "asked_at", "by")}
        )  # `exits` is longer than a text may be
        planned = _listed(request.form.get("exits", ""))
        if not is_within(_asked_at(fields), desk.clock.now(), VALID_FOR):
            if sent := _sent_before(desk, planned, fields):
                header = desk.header(desk.clock.now())
                return render_template("console/exited.html", header=header, done=sent, is_repeated=True)
            shown = {_position_of(each) for each in planned}
            fresh = [each for each in _still_open(desk, planned) if _position_of(each) in shown]
            said = f"It was shown over {VALID_FOR.seconds // 60} minutes ago, and nothing was sent. This is open now."
            return page(fresh, said), 409
        if fields.text("by") is None:
            return page(planned, "Say who asks for it: it goes into the history.", "by"), 400
        done = _ask(desk, planned, fields)
        return render_template("console/exited.html", header=desk.header(desk.clock.now()), done=done)


def _ask(
    desk: Desk, planned: Sequence[PlannedExit], fields: Parameters
) -> list[tuple[PlannedExit, Order | None, str]]:
    """Ask for the exits; where one cannot be asked for, the others still are."""
    by, ids = operator_of(fields), _ids(planned, fields)
    done = list[tuple[PlannedExit, Order | None, str]]()
    for each, id_ in zip(planned, ids, strict=True):
        try:
            order = desk.control.exit_planned(each, id_=id_, by=by)
            done.append((each, order, ""))
        except (ConcurrentUpdate, NotFound) as error:
            done.append((each, None, str(error)))
    return done


def _ids(planned: Sequence[PlannedExit], fields: Parameters) -> list[str]:
    act, asked_at = fields.required("act"), _asked_at(fields)
    return [exit_id(f"console|{act}", asked_at, index) for index in range(len(planned))]


def _sent_before(
    desk: Desk, planned: Sequence[PlannedExit], fields: Parameters
) -> list[tuple[PlannedExit, Row | None, str]]:
    """The exits that this act asked for when it was sent first; empty: it never was."""
    stories = [desk.reader.story(command_id(id_, 0)) for id_ in _ids(planned, fields)]
    if not any(stories):
        return []
    return [
        (each, None if story is None else story["order"], "" if story else "look whether it is still open")
        for each, story in zip(planned, stories, strict=True)
    ]


def _position_of(planned: PlannedExit) -> tuple[object, ...]:
    """Which position it closes, and of which side; how much is found by the exit itself."""
    return *planned[:5], planned.quantity.startswith("-")


def _chosen(desk: Desk, query: Parameters) -> list[PlannedExit]:
    clients = [query.text("client")] if query.text("client") else list(desk.modes)
    wanted = {name: query.text(name) for name in ("exchange", "product")}
    wanted["strategy_name"] = query.text("strategy")
    try:
        found = [
            each
            for client in clients
            for each in desk.control.planned_exits(str(client), query.text("symbol"))
        ]
    except PositionsNeverRead as error:
        raise NotFound(str(error)) from None
    return [each for each in found if all(v in (None, getattr(each, name)) for name, v in wanted.items())]


def _still_open(desk: Desk, planned: Sequence[PlannedExit]) -> list[PlannedExit]:
    clients = dict.fromkeys(each.client_id for each in planned)
    return [each for client in clients for each in desk.control.planned_exits(client, None)]


def _asked_at(fields: Parameters) -> datetime:
    try:
        return parse_time(fields.required("asked_at"))
    except ValueError:
        raise BadParameter("asked_at", "expected the time that the page gave") from None


def _listed(text: str) -> list[PlannedExit]:
    """Parse the exits as the page listed them.

    Raises:
        BadParameter: they are not of that form, or none.
    """
    try:
        rows = json.loads(text)
        listed = [PlannedExit(*map(_text, row)) for row in rows]
    except (ValueError, TypeError, RecursionError):
        listed = []
    if not 0 < len(listed) <= _MOST_EXITS:
        raise BadParameter("exits", f"expected 1 to {_MOST_EXITS} exits as the page listed them")
    return listed


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
