"""Whatever is asked of the HTTP interface is answered as its description says, whether it fits that or not."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.console.desk_day import day
from tests.console.seeding import BEARER, House

OF_EACH = 8
"""Questions to each operation that fit its description, and as many that do not."""

_ELSEWHERE = ("/api/preview",)
"""No routes of the console: the fuzz asks them through the whole application (`tests/fuzz/doors.py`)."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return day(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="module")
def ids(house: House) -> list[str]:
    """The orders of the day before anything is asked, and what is no order's id."""
    return [*sorted(row["command_id"] for row in house.views.orders({}, limit=100)[0]), "x", "é", "'"]


@pytest.mark.gate
@pytest.mark.timeout(180)
def test_whatever_is_asked_is_answered_as_described(house: House, ids: list[str]) -> None:
    import schemathesis  # not at the top: half a second, which no other test should wait for
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi import checks

    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", house.app, headers=BEARER)
    held = [
        schemathesis.checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
        checks.response_headers_conformance, checks.response_schema_conformance,
    ]  # fmt: skip

    @settings(max_examples=OF_EACH, deadline=None, suppress_health_check=list(HealthCheck))
    def answer(case: Any, id_: str) -> None:
        case.path_parameters = dict.fromkeys(case.path_parameters, id_)
        answered = case.call(headers=BEARER)
        statuses[case.method, answered.status_code] += 1
        case.validate_response(answered, checks=held, headers=BEARER)

    statuses = Counter[tuple[str, int]]()
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # the schema is valid: an error of it is told with its cause
        if not operation.path.startswith("/api/") or operation.path in _ELSEWHERE:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query):
                continue
            given(operation.as_strategy(generation_mode=mode), st.sampled_from(ids))(answer)()
            asked += 1
    assert asked > 40
    assert statuses["GET", 200] > 20 and statuses["POST", 200] > 0 and statuses["POST", 400] > 20, statuses
