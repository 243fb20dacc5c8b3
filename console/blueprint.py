"""The console as a Flask blueprint: authentication, error handlers, and the security headers of every response."""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType
from urllib.parse import quote

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from console.access import MAX_NAME, NAME_COOKIE, SESSION, Access, LoginLimit
from console.adopting import add_adopting
from console.alerts import AlertDoor, add_alerts
from console.api import add_api
from console.attention import add_attention
from console.cancelling import add_cancelling
from console.context import Desk
from console.exiting import add_exiting
from console.finding import add_finding
from console.grouping import add_grouping
from console.health import HealthExpectations
from console.limiting import add_limiting
from console.openapi import add_openapi
from console.order_actions import CANCEL, RESOLVE, add_order_forms
from console.pages import add_pages
from console.parameters import BadParameter
from console.ports import ConsoleControl, Modes
from console.positions import add_positions
from console.protecting import add_protecting
from console.resolving import add_resolving
from domain.errors import (
    AdoptionNotPossible,
    ConcurrentUpdate,
    InvalidAdoption,
    InvalidProtection,
    InvalidResolution,
    NotFound,
    NothingToLift,
    PositionsNeverRead,
    StoreUnavailable,
)
from domain.ports import Clock, OperatorRecords
from domain.ports.read_model import ReadModel

_MAX_BODY = 64 * 1024
_OPEN = {"console.static", "console.login", "console.log_in"}
_ONE_CLIENT: Modes = MappingProxyType({"default": None})

_REFUSED_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "300"}}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it a browser hides that our own page posted the form, and the form would be refused.
    "Referrer-Policy": "same-origin",
}


def create_console(
    reader: ReadModel,
    control: ConsoleControl,
    records: OperatorRecords,
    alert_door: AlertDoor,
    *,
    token: str,
    clock: Clock,
    modes: Modes = _ONE_CLIENT,
    zone: tzinfo = UTC,
    beat_max_age_seconds: float = 10.0,
    positions_max_age_seconds: float = 60.0,
    loss_limited: Collection[str] = (),
    unwritable: Callable[[], StoreUnavailable | None] = lambda: None,
) -> Blueprint:
    """Create the operator's pages and their JSON routes.

    Args:
        records: what operators decided, and the day's course of profit and loss.
        alert_door: what the page about alerts shows of how they are received.
        token: the console token; must not be empty.
        modes: the clients and what happens to their orders; the first client is the default.
        zone: the time zone in which times are shown and the days of a filter are read.
        beat_max_age_seconds: a watcher whose last heartbeat is older counts as gone.
        positions_max_age_seconds: positions that were read longer ago count as stale.
        loss_limited: the clients that enter nothing while the day's loss is not known.
        unwritable: returns why this process cannot write to its database at present; None when it can.
    """
    expected = HealthExpectations(
        tuple(modes), beat_max_age_seconds, positions_max_age_seconds, loss_limited, unwritable
    )
    access = Access(token, clock)
    desk = Desk(reader, control, access, LoginLimit(clock), clock, zone, modes, expected, records)
    blueprint = Blueprint(
        "console", __name__, template_folder="templates", static_folder="static", static_url_path="/static"
    )
    blueprint.context_processor(lambda: desk.words(clock.now()))
    _guard(blueprint, access)
    _answer_failures(blueprint, access)
    add_pages(blueprint, desk)
    add_api(blueprint, desk)
    add_adopting(blueprint, desk)
    add_protecting(blueprint, desk)
    add_grouping(blueprint, desk)
    add_limiting(blueprint, desk)
    add_attention(blueprint, records, clock)
    add_exiting(blueprint, desk)
    add_positions(blueprint, desk)
    add_finding(blueprint, desk)
    add_alerts(blueprint, desk, alert_door)
    add_openapi(blueprint)
    forms = {RESOLVE: add_resolving(blueprint, desk), CANCEL: add_cancelling(blueprint, desk)}
    add_order_forms(blueprint, desk, forms)
    return blueprint


def _guard(blueprint: Blueprint, access: Access) -> None:
    @blueprint.before_request
    def let_in() -> ResponseReturnValue | None:
        request.max_content_length = _MAX_BODY
        refusal = None if request.endpoint in _OPEN else access.refusal(request)
        if refusal is None:
            return None
        if refusal.code == 401 and request.method == "GET" and not _wants_json():
            return redirect(url_for("console.login", next=_this_path()), 303)
        raise refusal

    @blueprint.after_request
    def protect(response: Response) -> Response:
        response.headers.update(_HEADERS)
        if request.endpoint != "console.static":
            response.headers["Cache-Control"] = "no-store"
        if request.method == "POST" and response.status_code < 400:
            _remember_name(response)
        return response


def _remember_name(response: Response) -> None:
    """Keep the name with which a form was signed in the browser. It proves nothing: the history says who typed what."""
    name = request.form.get("by", "").strip()
    if 0 < len(name) <= MAX_NAME and name.isprintable():
        response.set_cookie(
            NAME_COOKIE,
            quote(name),
            max_age=SESSION,
            httponly=True,
            samesite="Strict",
            secure=request.is_secure,
        )


def _this_path() -> str:
    return request.full_path.removesuffix("?")


def _wants_json() -> bool:
    return request.path.startswith("/api/") or request.path in ("/api", "/metrics")


def _answer_failures(blueprint: Blueprint, access: Access) -> None:
    @blueprint.errorhandler(BadParameter)
    def bad_parameter(error: BadParameter) -> ResponseReturnValue:
        return _failure(400, error.code, error.message, error.field or None)

    @blueprint.errorhandler(NotFound)
    def not_found(error: NotFound) -> ResponseReturnValue:
        return _failure(404, "NOT_FOUND", str(error), _id_in_path())

    @blueprint.errorhandler(ConcurrentUpdate)
    @blueprint.errorhandler(NothingToLift)
    @blueprint.errorhandler(PositionsNeverRead)
    def moved_on(error: ConcurrentUpdate | NothingToLift | PositionsNeverRead) -> ResponseReturnValue:
        return _failure(409, "CONFLICT", str(error), _id_in_path())

    @blueprint.errorhandler(InvalidResolution)
    def does_not_fit(error: InvalidResolution) -> ResponseReturnValue:
        return _failure(400, "INVALID_RESOLUTION", error.message, error.field)

    @blueprint.errorhandler(InvalidAdoption)
    def cannot_adopt(error: InvalidAdoption) -> ResponseReturnValue:
        if isinstance(error, AdoptionNotPossible):
            return _failure(409, "ADOPTION_NOT_POSSIBLE", error.message, error.field)
        return _failure(400, "INVALID_ADOPTION", error.message, error.field)

    @blueprint.errorhandler(InvalidProtection)
    def cannot_protect(error: InvalidProtection) -> ResponseReturnValue:
        return _failure(400, "INVALID_PROTECTION", error.message, error.field)

    @blueprint.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> ResponseReturnValue:
        return _failure(503, "STORE_UNAVAILABLE", str(error))

    @blueprint.errorhandler(HTTPException)
    def refused(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        headers = _REFUSED_HEADERS.get(status, {})
        return _failure(
            status, error.name.upper().replace(" ", "_"), error.description or error.name, None, headers
        )

    @blueprint.app_errorhandler(HTTPException)
    def failed_outside(error: HTTPException) -> HTTPException | ResponseReturnValue:
        """Answer a failed request for JSON in JSON, also where no route matched or another blueprint's route failed."""
        if not _wants_json():
            return error
        return refused(access.refusal(request) or error)


def _id_in_path() -> str | None:
    """Name `command_id` as the field at fault where the path identifies an order; None elsewhere."""
    return "command_id" if "command_id" in (request.view_args or {}) else None


def _failure(
    status: int,
    code: str,
    message: str,
    field: str | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> ResponseReturnValue:
    if _wants_json():
        return {"error": {"code": code, "message": message, "field": field}}, status, dict(headers)
    said = f"{field}: {message}" if field else message
    return render_template("console/error.html", status=status, message=said), status, dict(headers)
