"""An operator says what became of an order of unknown outcome: over HTTP, and by the form on the order's page."""

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from command_service import ResolvedFill
from console.api import story_of
from console.desk import Desk
from console.parameters import BadParameter, Parameters, body_of
from domain.errors import ConcurrentUpdate, InvalidResolution

FOUND, FOLLOW, ABSENT = "found", "follow", "absent"
_FILL_FIELDS = ("filled_quantity", "average_price")
_FOUND_FIELDS = ("broker_order_id", *_FILL_FIELDS)
_SHOWN = ("outcome", *_FOUND_FIELDS, "reason", "by")


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who says what: a fill, or why the broker does not have it; exactly one of the two is set."""

    by: str
    executed: ResolvedFill | None = None
    failed_reason: str | None = None


def resolution_of(fields: Parameters) -> Resolution:
    """What the fields say.

    Raises:
        BadParameter: one of them is missing, is not what was expected, or contradicts the outcome.
    """
    outcome = fields.required("outcome").lower()
    if outcome not in (FOUND, FOLLOW, ABSENT):
        raise BadParameter("outcome", f"expected {FOUND}, {FOLLOW} or {ABSENT}")
    for name in {FOUND: (), FOLLOW: _FILL_FIELDS, ABSENT: _FOUND_FIELDS}[outcome]:
        if fields.values.get(name) not in (None, ""):
            raise BadParameter(name, f"expected nothing with the outcome {outcome}")
    if outcome == ABSENT:
        return Resolution(_name(fields), failed_reason=fields.required("reason"))
    fill = ResolvedFill(
        fields.required("broker_order_id"),
        fields.positive("filled_quantity", "quantity") if outcome == FOUND else None,
        fields.price("average_price") if fields.values.get("average_price") not in (None, "") else None,
        fields.required("reason"),
    )
    return Resolution(_name(fields), executed=fill)


def _name(fields: Parameters) -> str:
    return f"console:{fields.required('by')}"


def add_resolving(blueprint: Blueprint, desk: Desk) -> None:
    """Put both ways to resolve on the blueprint."""

    def resolve(command_id: str, fields: Parameters) -> None:
        said = resolution_of(fields)
        desk.control.resolve(command_id, by=said.by, executed=said.executed, failed_reason=said.failed_reason)

    @blueprint.post("/api/orders/<command_id>/resolve")
    def resolve_order(command_id: str) -> ResponseReturnValue:
        resolve(command_id, body_of(request))
        return {"resolved": True, "order": story_of(desk, command_id)["order"]}

    @blueprint.post("/orders/<command_id>")
    def resolve_by_form(command_id: str) -> ResponseReturnValue:
        try:
            resolve(command_id, _typed(desk, command_id, body_of(request)))
        except (BadParameter, InvalidResolution) as error:
            return _form_again(desk, command_id, error.field, error.message), 400
        except ConcurrentUpdate as error:
            return _form_again(desk, command_id, "command_id", str(error)), 409
        return redirect(url_for("console.order", command_id=command_id), 303)


def _typed(desk: Desk, command_id: str, fields: Parameters) -> Parameters:
    """What was typed: the form comes with the number that the row has, and leaving it there says nothing."""
    outcome = (fields.text("outcome") or "").lower()
    shown = story_of(desk, command_id)["order"]["broker_order_id"]
    if outcome != ABSENT or fields.text("broker_order_id") != shown:
        return fields
    return Parameters({**fields.values, "broker_order_id": ""})


def _form_again(desk: Desk, command_id: str, field: str, message: str) -> str:
    """The order's page with what was typed, and what is wrong with it."""
    return render_template(
        "console/order.html",
        header=desk.header(desk.clock.now()),
        trouble={"field": field, "message": message},
        given={name: request.form.get(name, "") for name in _SHOWN},
        **story_of(desk, command_id),
    )
