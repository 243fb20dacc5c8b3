"""The description of the HTTP interface says what it does: each route, parameter, field, answer and caller."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app.container import Services, build_services
from app.settings import load_settings
from console.openapi import document
from tests.console.desk_day import day
from tests.console.seeding import BEARER, House
from tests.test_routes import ANYBODY, OPERATOR, ROUTES, SENDER, TOKEN
from trading_bot import make_app

DOCUMENT = document()
OPERATIONS = {
    (path, method.upper()): operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
DESCRIBED = ("/api/", "/webhook", "/healthz", "/readyz", "/metrics")
CALLERS = {
    (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule), method): who
    for rule, methods in ROUTES.items()
    if rule.startswith(DESCRIBED)
    for method, who in methods.items()
}
GETS = [path for path, method in OPERATIONS if method == "GET" and path.startswith("/api/")]
POSTS = [path for path, method in OPERATIONS if method == "POST" and path.startswith("/api/")]
WITH_FIELDS = [path for path in POSTS if path != "/api/preview"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The whole application over an empty database."""
    folder = tmp_path_factory.mktemp("openapi")
    environ = {"ORDERS_DB": str(folder / "orders.db"), "WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": TOKEN}
    services: Services = build_services(load_settings(environ, dotenv_path=None))
    yield make_app(services)
    services.store.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return day(tmp_path_factory.mktemp("described"))


def call(app: Flask, method: str, path: str, **what: Any) -> TestResponse:
    return app.test_client().open(path, method=method, headers={"Authorization": f"Bearer {TOKEN}"}, **what)


def fields_of(path: str, method: str) -> dict[str, Any]:
    schema = OPERATIONS[path, method]["requestBody"]["content"]["application/json"]["schema"]
    properties: dict[str, Any] = schema["properties"]
    return properties


def named(answer: TestResponse) -> set[str]:
    """The names that a refusal of an unknown one lists."""
    assert answer.status_code == 400 and answer.json is not None, answer.text
    message = answer.json["error"]["message"]
    return set(message.split("expected one of ")[1].split(", "))


def test_it_describes_every_route_and_no_other(app: Flask):
    assert set(OPERATIONS) == set(CALLERS)
    answer = call(app, "GET", "/api/openapi.json")
    assert answer.json == json.loads(json.dumps(DOCUMENT))
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(names) == len(set(names))
    for (path, _), operation in OPERATIONS.items():
        in_path = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_it_says_who_may_call_it(path: str, method: str):
    operation = OPERATIONS[path, method]
    who = CALLERS[path, method]
    assert operation["x-may-be-called-by"] == who
    schemes = {name for each in operation["security"] for name in each}
    assert (
        schemes
        == {
            ANYBODY: set(),
            SENDER: {"webhookSignature"},
            OPERATOR: {"consoleToken", "consoleSession"},
        }[who]
    )


@pytest.mark.parametrize("path", GETS)
def test_it_names_the_parameters_of_a_query(app: Flask, path: str):
    parameters = {p["name"] for p in OPERATIONS[path, "GET"].get("parameters", []) if p["in"] == "query"}
    answer = call(app, "GET", path.replace("{", "").replace("}", ""), query_string={"zzzzzz": "1"})
    assert named(answer) == parameters if parameters else answer.status_code in (200, 404)


@pytest.mark.parametrize("path", WITH_FIELDS)
def test_it_names_the_fields_of_a_body(app: Flask, path: str):
    answer = call(app, "POST", path.replace("{", "").replace("}", ""), json={"zzzzzz": 1})
    assert named(answer) - {"next"} == set(fields_of(path, "POST"))  # `next`: where a page's form leads


@pytest.mark.parametrize("path", WITH_FIELDS)
def test_what_it_calls_required_is(app: Flask, path: str):
    schema = OPERATIONS[path, "POST"]["requestBody"]["content"]["application/json"]["schema"]
    missing = set(schema.get("required", []))
    for name in missing:
        given = {"item": "HALTED|default|", "decision": "REOPENED", "outcome": "absent", "quantity": "1", "price": "1",
                 "state": "ACTIVE"}  # fmt: skip
        body = {each: given.get(each, "x") for each in missing - {name}}
        answer = call(app, "POST", path.replace("{", "").replace("}", ""), json=body)
        assert answer.status_code == 400 and answer.json is not None, answer.text
        assert answer.json["error"]["field"] == name


@pytest.mark.parametrize("path", GETS)
def test_an_answer_has_the_fields_that_it_names(house: House, path: str):
    rows, _ = house.views.orders({}, limit=1)
    [stop, *_] = house.views.protections(client_id=None, open_only=True, limit=1)
    real = path.format(command_id=rows[0]["command_id"], protection_id=stop["protection_id"])
    answer = house.get(real)
    assert answer.status_code == 200, answer.text
    schema = OPERATIONS[path, "GET"]["responses"]["200"]["content"]["application/json"]["schema"]
    fits(answer.json, schema)
    if "{protection_id}" not in path:  # a protection's columns are not all described
        assert set(answer.json) == set(schema["properties"])


TYPES: dict[str, Any] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list,
    "null": type(None),
}  # fmt: skip


def fits(value: Any, schema: dict[str, Any]) -> None:
    """Assert that a JSON object is what a schema says."""
    assert set(schema.get("required", [])) <= set(value)
    for name, each in schema["properties"].items():
        kinds = each.get("type", list(TYPES))
        expected = tuple(TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
        assert name not in value or isinstance(value[name], expected), (name, value[name])


VALUES = st.one_of(
    st.text(max_size=20), st.integers(-5, 10**20), st.booleans(), st.none(), st.lists(st.integers(), max_size=2),
    st.sampled_from(["default", "ann", "1", "-1", "1e9", "NaN", "NIFTY26NOV24500CE", "HALTED", "found", "absent"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def ids(house: House) -> list[str]:
    """The orders of the day before anything is posted, and what is no order's id."""
    return [*sorted(row["command_id"] for row in house.views.orders({}, limit=100)[0]), "x", "é", "'"]


@pytest.mark.gate
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_is_posted_is_answered_as_described(house: House, ids: list[str], data: st.DataObject):
    path = data.draw(st.sampled_from(WITH_FIELDS))
    operation, fields = OPERATIONS[path, "POST"], fields_of(path, "POST")
    values = {
        name: st.sampled_from(each["enum"]) | VALUES if "enum" in each else VALUES
        for name, each in fields.items()
    }
    body = data.draw(st.fixed_dictionaries({}, optional=values))
    real = re.sub(r"{\w+}", data.draw(st.sampled_from(ids)), path)
    answer = house.app.test_client().post(real, json=body, headers=BEARER)
    assert str(answer.status_code) in operation["responses"], answer.text
    if answer.status_code == 200:
        fits(answer.json, operation["responses"]["200"]["content"]["application/json"]["schema"])
    else:
        fits(answer.json, DOCUMENT["components"]["schemas"]["Error"])


@pytest.mark.parametrize("path", [path for path, _ in OPERATIONS if not path.startswith("/api/")])
def test_the_other_doors_answer_as_described(app: Flask, path: str):
    [(method, operation)] = [(method, each) for (at, method), each in OPERATIONS.items() if at == path]
    real = path.replace("{name}", "native").replace("{token}", "wrong")
    answer = call(app, method, real, **({"data": b"{}"} if method == "POST" else {}))
    assert str(answer.status_code) in operation["responses"]


def test_it_stands_in_a_place_of_its_own(tmp_path: Path):
    """The page is the operator's: a stranger learns nothing from it."""
    house = House(tmp_path)
    assert house.anonymous().get("/api/openapi.json").status_code == 401
