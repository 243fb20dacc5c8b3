"""Published alerts become the right order, or are refused with a reason; none becomes a wrong one."""

import pytest

from alerts.decoding import Body, decode
from alerts.formats.registry import DIALECTS
from domain.alert import ParsedAlert
from domain.errors import InvalidAlert
from tests.alerts import corpus
from tests.alerts.corpus import DISAGREED, DISAGREEMENTS, REFUSED, RIGHT, WRONG, Case


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return list(corpus.cases())


def test_no_published_alert_becomes_a_wrong_order(cases: list[Case]):
    assert [(case.number, case.told["legs"]) for case in cases if case.verdict == WRONG] == []


def test_what_we_read_otherwise_than_expected_is_listed_with_its_reason(cases: list[Case]):
    assert {case.number for case in cases if case.verdict == DISAGREED} == DISAGREEMENTS.keys()


def test_as_many_are_right_as_ever(cases: list[Case]):
    assert len(cases) == 194
    assert sum(case.verdict == RIGHT for case in cases) >= 102
    assert sum(case.verdict in (RIGHT, REFUSED) for case in cases) == 194 - len(DISAGREEMENTS)


def test_what_asks_for_no_order_is_none(cases: list[Case]):
    for case in cases:
        kind = case.expected[0]["kind"]
        if kind in ("REJECT", "INFO", "REVERSE") and case.verdict != DISAGREED:
            assert case.told["outcome"] != "orders", case
        if kind == "CANCEL":
            assert {leg["kind"] for leg in case.told["legs"]} <= {"CANCEL"}, case


def test_each_refusal_names_a_field_and_what_was_expected(cases: list[Case]):
    for case in cases:
        if case.told["outcome"] == "rejected":
            error = case.told["error"]
            assert error["code"] and error["field"] and len(error["message"]) > 15, case


def test_a_published_alert_is_parsed_the_same_with_its_keys_in_any_case():
    """Of JSON alone: texts have keys of their own."""
    for line in corpus.FILE.read_text().splitlines():
        body = decode(corpus.body_of(line))
        if body.document is None:
            continue
        shouted = decode(corpus.shouted(body.document))
        assert outcome(shouted) == outcome(body)


def outcome(body: Body) -> object:
    dialect = DIALECTS.dialect_of(body)
    try:
        alert: ParsedAlert = dialect.parse(body, default_client="default", defaults=corpus.DEFAULTS)
    except InvalidAlert as error:
        return error.code
    return alert.legs
