"""The texts that people read: golden, and findable."""

import re
import shlex
from collections import defaultdict
from decimal import Decimal

import pytest

import cli_parser
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.notices import Notice, NoticeKind
from domain.states import STATUS_OF, Phase, Status
from notifications.markup import without_markup
from notifications.messages import render
from tests.notifications.fakes import an_order
from tests.notifications.golden_messages import GOLDEN, ORDER_KINDS, about


@pytest.mark.parametrize(("notice", "text"), GOLDEN.values(), ids=GOLDEN)
def test_each_kind_reads_like_this(notice, text):
    assert render(notice) == text


def test_every_kind_has_a_golden_text():
    assert {notice.kind for notice, _ in GOLDEN.values()} == set(NoticeKind)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"order_type": OrderType.MARKET}, "ENTRY BUY 50 NIFTY26NOV24500CE · MARKET"),
        (
            {"order_type": OrderType.STOP_LIMIT, "trigger_price": Decimal("111")},
            "ENTRY BUY 50 NIFTY26NOV24500CE · STOP_LIMIT 112.5 trigger 111",
        ),
        (
            {"execution_type": ExecutionType.EXIT, "side": Side.SELL, "quantity": Decimal(0)},
            "EXIT SELL all NIFTY26NOV24500CE · LIMIT 112.5",
        ),
        (
            {"test_mode": TestMode.SUCCESS},
            "ENTRY BUY 50 NIFTY26NOV24500CE · LIMIT 112.5 · test mode: no broker involved",
        ),
    ],
)
def test_the_order_is_described_as_it_is(changes, line):
    assert line in render(about(NoticeKind.PLACED, Phase.WORKING, **changes)).split("\n")


@pytest.mark.parametrize(
    ("number", "options"), [(None, ["found", "failed"]), ("77 8", ["executed", "failed"])]
)
def test_the_commands_that_an_unknown_outcome_comes_with_are_understood(number, options):
    """As printed, with the words in capitals for what only a person knows."""
    text = render(about(NoticeKind.UNKNOWN, Phase.UNKNOWN, broker_order_id=number))
    lines = [without_markup(line) for line in re.findall("<code>python cli.py (.*)</code>", text)]
    parser = cli_parser.parser(defaultdict(lambda: lambda options: 0))
    read = [vars(parser.parse_args(shlex.split(line))) for line in lines]
    assert [given["id"] for given in read] == ["01JD4M8Q7T2V9X3ZB5KC6W0N4E-1"] * 2
    assert [next(name for name in options if given[name]) for given in read] == options
    if number is not None:
        assert (read[0]["executed"], read[0]["filled"]) == (number, Decimal(50))  # needs both


def test_nothing_is_said_twice():
    for notice, text in GOLDEN.values():
        said = [line for line in text.split("\n") if line]
        assert len(set(said)) == len(said)
        assert not notice.detail or without_markup(text).count(notice.detail) <= 1


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_without_what_its_kind_needs_is_still_worded(kind):
    assert render(Notice(kind, "default"))
    assert render(Notice(kind, "default", an_order()))


@pytest.mark.parametrize("kind", ORDER_KINDS)
@pytest.mark.parametrize("phase", Phase)
def test_failures_and_only_failures_can_be_found(kind, phase):
    lines = render(about(kind, phase)).split("\n")
    failed = STATUS_OF[phase] is Status.FAILED
    assert ("ORDER FAILED" in lines[1]) is failed
    assert not any("ORDER FAILED" in line for line in lines[2:])
