"""Resolve an order of unknown outcome on behalf of an operator: over HTTP, and by the form on the order's page."""

from dataclasses import dataclass

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from command_service import ResolvedFill
from console.api import story_of
from console.context import Desk
from console.order_actions import OrderForm
from console.parameters import BadParameter, Parameters, operator_of
from console.request_parsing import body_of

FOUND, FOLLOW, ABSENT = "found", "follow", "absent"
_FILL_FIELDS = ("filled_quantity", "average_price")
_FOUND_FIELDS = ("broker_order_id", *_FILL_FIELDS)
_SHOWN = ("outcome", *_FOUND_FIELDS, "reason", "by")


@dataclass(frozen=True, slots=True)
class Resolution:
    """An operator's resolution: a fill, or why the broker does not have the order. Exactly one of the two is set."""

    by: str
    executed: ResolvedFill | None = None
    failed_reason: str | None = None


def resolution_of(fields: Parameters) -> Resolution:
    """Parse a resolution from the fields.

    Raises:
        BadParameter: a field is missing, is not what was expected, or contradicts the outcome.
    """
    outcome = fields.required("outcome").lower()
    if outcome not in (FOUND, FOLLOW, ABSENT):
        raise BadParameter("outcome", f"expected {FOUND}, {FOLLOW} or {ABSENT}")
    for name in {FOUND: (), FOLLOW: _FILL_FIELDS, ABSENT: _FOUND_FIELDS}[outcome]:
        if fields.values.get(name) not in (None, ""):
            raise BadParameter(name, f"expected nothing with the outcome {outcome}")
    if outcome == ABSENT:
        return Resolution(operator_of(fields), failed_reason=fields.required("reason"))
    fill = ResolvedFill(
        fields.required("broker_order_id"),
        fields.positive("filled_quantity", "quantity") if outcome == FOUND else None,
        fields.price("average_price") if fields.values.get("average_price") not in (None, "") else None,
        fields.required("reason"),
    )
    return Resolution(operator_of(fields), executed=fill)


def add_resolving(blueprint: Blueprint, desk: Desk) -> OrderForm:
    """Add the JSON route to the blueprint; returns the page's form that does the same."""

    def resolve(command_id: str, fields: Parameters) -> None:
        said = resolution_of(fields)
        desk.control.resolve(command_id, by=said.by, executed=said.executed, failed_reason=said.failed_reason)

    @blueprint.post("/api/orders/<command_id>/resolve")
    def resolve_order(command_id: str) -> ResponseReturnValue:
        resolve(command_id, body_of(request, _SHOWN))
        return {"resolved": True, "order": story_of(desk, command_id)["order"]}

    return OrderForm(lambda id_, fields: resolve(id_, _typed(desk, id_, fields)), _SHOWN)


def _typed(desk: Desk, command_id: str, fields: Parameters) -> Parameters:
    """Drop the broker's order number from an `absent` outcome when it is the one that the form was filled with.

    The form shows the number that the order's row has. An operator who leaves it there states nothing, and with
    `absent` it would be refused as a contradiction.
    """
    outcome = (fields.text("outcome") or "").lower()
    shown = story_of(desk, command_id)["order"]["broker_order_id"]
    if outcome != ABSENT or fields.text("broker_order_id") != shown:
        return fields
    return Parameters({**fields.values, "broker_order_id": ""})
