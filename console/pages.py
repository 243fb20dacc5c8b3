"""The console's pages, rendered on the server. A script only refreshes parts of what is shown."""

import logging
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console.access import COOKIE, local_path
from console.api import FILTERS, ORDERS_QUERY, orders_page, story_of
from console.context import Desk
from console.parameters import wanted_of
from console.request_parsing import query_of
from console.story import story_lines
from domain.stale_orders import FROZEN_MEANS
from domain.states import Status

log = logging.getLogger(__name__)


def add_pages(blueprint: Blueprint, desk: Desk) -> None:
    """Add the pages' routes to the blueprint."""

    @blueprint.get("/")
    def book() -> ResponseReturnValue:
        query = query_of(request, ORDERS_QUERY)
        orders, cursor = orders_page(desk, query, default_limit=50)
        counts = desk.reader.counts(wanted_of(query, desk.zone))
        given = {name: query.text(name) or "" for name in FILTERS}
        return render_template(
            "console/orders.html",
            header=desk.header(desk.clock.now()),
            orders=orders,
            given=given,
            filtered=any(given.values()),
            chips=_chips(given, counts),
            older=_link(given, cursor=cursor) if cursor else None,
            csv=url_for("console.orders_as_csv", **{name: v for name, v in given.items() if v}),  # type: ignore[arg-type]
            newest=_link(given) if query.text("cursor") else None,
            several_clients=len(desk.modes) > 1,
            clients=tuple(desk.modes),
        )

    @blueprint.get("/orders/<command_id>")
    def order(command_id: str) -> ResponseReturnValue:
        story = story_of(desk, command_id)
        return render_template(
            "console/order.html", header=desk.header(desk.clock.now()), lines=story_lines(story), **story
        )

    @blueprint.get("/health")
    def health() -> ResponseReturnValue:
        now = desk.clock.now()
        return render_template(
            "console/health.html", header=desk.header(now), clients=tuple(desk.modes), **desk.health(now)
        )

    @blueprint.get("/review")
    def review() -> ResponseReturnValue:
        now = desk.clock.now()
        frozen, frozen_total = desk.frozen(now)
        return render_template(
            "console/review.html",
            header=desk.header(now),
            meaning=FROZEN_MEANS,
            frozen=frozen,
            frozen_total=frozen_total,
            unknown_orders=desk.reader.unknown_orders(),
            **desk.positions_compared(now),
        )

    _add_door(blueprint, desk)


def _add_door(blueprint: Blueprint, desk: Desk) -> None:
    @blueprint.get("/login")
    def login() -> ResponseReturnValue:
        return render_template("console/login.html", target=local_path(request.args.get("next")))

    @blueprint.post("/login")
    def log_in() -> ResponseReturnValue:
        sender, target = request.remote_addr or "", local_path(request.form.get("next"))
        if desk.limit.exceeded(sender):
            return _shut("Too many wrong tokens. Wait five minutes.", target, 429)
        if not desk.access.is_token(request.form.get("token", "").strip()):
            desk.limit.failed(sender)
            log.warning("[CONSOLE] wrong token from %s", sender)
            return _shut("That is not the console token.", target, 401)
        response = redirect(target, 303)
        desk.access.begin_session(request, response)
        return response

    @blueprint.post("/logout")
    def log_out() -> ResponseReturnValue:
        response = redirect(url_for("console.login"), 303)
        response.delete_cookie(COOKIE, httponly=True, samesite="Strict", secure=request.is_secure)
        return response


def _shut(message: str, target: str, status: int) -> ResponseReturnValue:
    return render_template("console/login.html", target=target, message=message), status


def _chips(given: Mapping[str, str], counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """List `All`, then each status, with their counts, as links that keep the other filters."""
    chosen = given["status"].upper()
    chips = [
        ("All", "", sum(counts.values())),
        *((s.replace("_", " ").capitalize(), s, counts[s]) for s in Status),
    ]
    return [
        {"label": label, "status": status, "count": count, "chosen": status == chosen,
         "href": _link(given, status=status)}
        for label, status, count in chips
    ]  # fmt: skip


def _link(given: Mapping[str, str], **changes: str | None) -> str:
    """The address of the order book with these filters."""
    return url_for("console.book", **{name: value for name, value in {**given, **changes}.items() if value})  # type: ignore[arg-type]
