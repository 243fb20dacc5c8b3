"""Cancel an order on behalf of an operator: over HTTP, and by the form on the order's page."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from console.api import story_of
from console.context import Desk
from console.order_actions import OrderForm
from console.parameters import Parameters, operator_of
from console.request_parsing import body_of
from domain.states import Phase

_FIELDS = ("reason", "by")
_HAS_ENDED = (Phase.LAPSED, Phase.CANCELLED)


def add_cancelling(blueprint: Blueprint, desk: Desk) -> OrderForm:
    """Add the JSON route to the blueprint; returns the page's form that does the same."""

    def cancel(command_id: str, fields: Parameters) -> None:
        reason = fields.required("reason")
        desk.control.cancel(command_id, by=operator_of(fields), reason=reason)

    @blueprint.post("/api/orders/<command_id>/cancel")
    def cancel_order(command_id: str) -> ResponseReturnValue:
        """Answer `cancelled`: true once the cancel has ended the order, false until the broker's book confirms it."""
        cancel(command_id, body_of(request, _FIELDS))
        order = story_of(desk, command_id)["order"]
        return {"asked": True, "cancelled": order["phase"] in _HAS_ENDED, "order": order}

    return OrderForm(cancel, _FIELDS)
