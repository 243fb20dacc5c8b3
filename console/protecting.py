"""Show the protections of positions, and change them on behalf of an operator, over HTTP."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.parameters import BadParameter, Parameters, operator_of
from console.request_parsing import body_of, query_of
from domain.errors import NotFound

_MOST = 500
_FIELDS = ("stop_price", "target_price", "cancel", "confirm", "reason", "by")


def add_protecting(blueprint: Blueprint, desk: Desk) -> None:
    """Add the JSON routes to the blueprint."""

    @blueprint.get("/api/protections")
    def list_protections() -> ResponseReturnValue:
        """Answer the open protections; with `all=1` those that are over too, the newest first."""
        query = query_of(request, ("client", "all", "limit"))
        everything = query.number("all", default=0, low=0, high=1) == 1
        limit = query.number("limit", default=100, low=1, high=_MOST)
        client = query.text("client")
        found = desk.reader.protections(client_id=client, open_only=not everything, limit=limit)
        return {"protections": found}

    @blueprint.get("/api/protections/<protection_id>")
    def show_protection(protection_id: str) -> ResponseReturnValue:
        found = desk.reader.protection(protection_id)
        if found is None:
            raise NotFound(f"no protection {protection_id}")
        return found

    @blueprint.post("/api/protections/<protection_id>")
    def change_protection(protection_id: str) -> ResponseReturnValue:
        """Cancel a protection, or set its stop tighter or its target anew."""
        fields = body_of(request, _FIELDS)
        by = operator_of(fields)
        is_confirmed = _flag(fields, "confirm")
        if _cancels(fields):
            desk.control.cancel_protection(protection_id, by=by, reason=fields.required("reason"))
        else:
            stop, target = (
                fields.price(name) if fields.values.get(name) is not None else None
                for name in ("stop_price", "target_price")
            )
            desk.control.tighten_protection(
                protection_id, stop=stop, target=target, by=by, is_confirmed=is_confirmed
            )
        return desk.reader.protection(protection_id) or {}


def _cancels(fields: Parameters) -> bool:
    """Whether the request is to cancel.

    Raises:
        BadParameter: `cancel` is not true or false, or levels are given with it.
    """
    cancels = _flag(fields, "cancel")
    if cancels and any(fields.values.get(name) is not None for name in ("stop_price", "target_price")):
        raise BadParameter("cancel", "expected either a cancel or levels, got both")
    return cancels


def _flag(fields: Parameters, name: str) -> bool:
    """Return a field that is true or false; BadParameter where it is neither."""
    wish = fields.values.get(name, False)
    if wish not in (True, False, "true", "false"):
        raise BadParameter(name, "expected true or false")
    return wish in (True, "true")
