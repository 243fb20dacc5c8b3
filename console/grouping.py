"""Show the groups of legs, and end what protects one as a whole, over HTTP."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.parameters import BadParameter, operator_of
from console.request_parsing import body_of, query_of

_MOST = 500


def add_grouping(blueprint: Blueprint, desk: Desk) -> None:
    """Add the JSON routes to the blueprint."""

    @blueprint.get("/api/groups")
    def list_groups() -> ResponseReturnValue:
        """Answer the open groups; with `all=1` those that have ended too, the newest first."""
        query = query_of(request, ("client", "all", "limit"))
        everything = query.number("all", default=0, low=0, high=1) == 1
        limit = query.number("limit", default=100, low=1, high=_MOST)
        found = desk.reader.groups(client_id=query.text("client"), open_only=not everything, limit=limit)
        return {"groups": found}

    @blueprint.post("/api/groups/<group_id>")
    def change_group(group_id: str) -> ResponseReturnValue:
        """End what protects a group as a whole; its legs stay."""
        fields = body_of(request, ("cancel", "reason", "by"))
        by, reason = operator_of(fields), fields.required("reason")
        if fields.values.get("cancel") not in (True, "true"):
            raise BadParameter("cancel", "expected true: what protects a group can be ended, and not changed")
        desk.control.cancel_protection(group_id, by=by, reason=reason)
        return {"group_id": group_id, "cancelled": True}
