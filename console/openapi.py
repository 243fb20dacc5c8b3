"""The description of the HTTP interface in the form of OpenAPI 3.1, at /api/openapi.json."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue

from console.access import COOKIE
from console.openapi_routes import ROUTES, Caller, Field, Route

Json = dict[str, Any]

_ERRORS = {
    400: "A field or a parameter is missing, unknown, or not what was expected; the answer names it.",
    401: "The token or the secret is missing or wrong.",
    403: "A browser's session came with a request from another site.",
    404: "There is no such thing.",
    405: "The method is not allowed here.",
    409: "It is not possible as things stand; the answer says why.",
    413: "The body is too large.",
    429: "Too many of these from this sender; `Retry-After` says when to go on.",
    500: "An error of ours: send the same again.",
    503: "The database cannot be read or written at present. Nothing was done: send the same again.",
}
_SCHEMAS: dict[str, Json] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": ["string", "number"], "description": "A number, exact as text."},
    "boolean": {"type": "boolean"},
    "object": {"type": "object"},
    "list": {"type": "array", "items": {}},
    "any": {},
}
_SECURITY: dict[Caller, list[Json]] = {
    Caller.ANYBODY: [],
    Caller.SENDER: [{"webhookSignature": []}, {}],
    Caller.OPERATOR: [{"consoleToken": []}, {"consoleSession": []}],
}
_SCHEMES = {
    "consoleToken": {"type": "http", "scheme": "bearer", "description": "CONSOLE_TOKEN."},
    "consoleSession": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": "What the login page sets. What changes something has to come from this site then.",
    },
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Signature",
        "description": "`sha256=` and the HMAC-SHA256 of the raw body under WEBHOOK_SECRET, in hex; or with a time "
        "`t=<seconds since 1970>,sha256=` and that of `<seconds>.` and the raw body. Under a strategy's secret "
        "`strategy=<name>,` stands before `sha256`. The secret may stand in the body (`secret_key`) too, or be "
        "the last part of the path.",
    },
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "field": {"type": ["string", "null"]},
            },
        },
        "alert_id": {
            "type": "string",
            "description": "Of an alert that was kept although it cannot be traded on.",
        },
    },
}


def document() -> Json:
    """Return the description of every route of the API, of the webhook, and of the probes."""
    paths: dict[str, Json] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Orderwatch",
            "version": "1",
            "description": "Trading alerts in, broker orders out, once each. Times are ISO-8601 UTC, money and "
            "quantities are decimal text. An answer may get further fields.",
        },
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}, "securitySchemes": _SCHEMES},
    }


def _operation(route: Route) -> Json:
    made: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "x-may-be-called-by": str(route.caller),
        "security": _SECURITY[route.caller],
        "responses": {"200": _answer(route)} | {str(status): _failure(status) for status in route.failures},
    }
    parameters = [
        *(_parameter(name, "path", {"type": "string"}, "", required=True) for name in route.path_names),
        *(_parameter(f.name, "query", _schema(f), f.says, required=f.required) for f in route.query),
    ]
    if parameters:
        made["parameters"] = parameters
    if route.raw_body:
        made["requestBody"] = {
            "required": True,
            "content": {kind: {"schema": {}} for kind in ("application/json", "text/plain")},
            "description": route.raw_body,
        }
    elif route.body:
        made["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _object(route.body)}},
        }
    return made


def _parameter(name: str, place: str, schema: Json, says: str, *, required: bool) -> Json:
    return {"name": name, "in": place, "required": required, "schema": schema, "description": says}


def _schema(field: Field) -> Json:
    schema: Json = dict(_SCHEMAS[field.kind])
    if field.values:
        schema["enum"] = list(field.values)
    if field.may_be_null:
        schema["type"] = (
            [schema["type"], "null"] if isinstance(schema["type"], str) else [*schema["type"], "null"]
        )
    return schema


def _object(fields: Iterable[Field]) -> Json:
    fields = tuple(fields)
    properties = {f.name: {**_schema(f), **({"description": f.says} if f.says else {})} for f in fields}
    made: Json = {"type": "object", "properties": properties}
    required = [f.name for f in fields if f.required]
    return made | ({"required": required} if required else {})


def _answer(route: Route) -> Json:
    if route.text_answer:
        return {"description": route.text_answer, "content": {"text/plain": {"schema": {"type": "string"}}}}
    schema = _object(route.answer)
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _failure(status: int) -> Json:
    error = {"$ref": "#/components/schemas/Error"}
    return {"description": _ERRORS[status], "content": {"application/json": {"schema": error}}}


def add_openapi(blueprint: Blueprint) -> None:
    """Add the route to the blueprint."""

    @blueprint.get("/api/openapi.json")
    def describe() -> ResponseReturnValue:
        return document()
