"""Show the groups of legs, over HTTP."""

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.request_parsing import query_of

_MOST = 500


def add_grouping(blueprint: Blueprint, desk: Desk) -> None:
    """Add the JSON route to the blueprint."""

    @blueprint.get("/api/groups")
    def list_groups() -> ResponseReturnValue:
        """Answer the open groups; with `all=1` those that have ended too, the newest first."""
        query = query_of(request, ("client", "all", "limit"))
        everything = query.number("all", default=0, low=0, high=1) == 1
        limit = query.number("limit", default=100, low=1, high=_MOST)
        found = desk.reader.groups(client_id=query.text("client"), open_only=not everything, limit=limit)
        return {"groups": found}
