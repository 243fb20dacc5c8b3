"""Bodies that no platform sends: none stops the door, and none becomes an order that does not follow from it."""

import ast
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from domain.alert import LegRequest
from domain.alert_defaults import AlertDefaultsBook
from domain.enums import ExecutionType, LegKind, OrderType, Side
from tests.fuzz import __main__ as command
from tests.fuzz import grammar, opinion
from tests.fuzz.doors import doors
from tests.fuzz.path import BOOKS, FULL, read
from tests.fuzz.runs import Runner, Tally, large_bodies

PARTS = 4
OF_A_PART = 250
"""Trials, of some two bodies each."""


def nothing_found(tally: Tally) -> None:
    """Assert that nothing was found, and that what was run was worth it."""
    assert not tally.finds, "\n".join(map(str, tally.finds[:10]))
    assert tally.traded > tally.bodies / 8, "hardly a body trades: the rules about orders see none"


@pytest.mark.parametrize("part", range(PARTS))
def test_no_body_becomes_an_order_that_does_not_follow_from_it(part: int) -> None:
    nothing_found(Runner(1).run(range(part * OF_A_PART, (part + 1) * OF_A_PART)))


@pytest.mark.parametrize("book", BOOKS, ids=["all defaults", "few defaults"])
def test_nobody_trades_on_an_order_with_one_thing_that_is_none(book: AlertDefaultsBook) -> None:
    orders = list(grammar.every_poison(Random(1)))
    wrong = [
        (order.raw, said)
        for order in orders
        if (said := grammar.complaint(order, read(order.raw, book).legs))
    ]
    assert wrong == []
    assert len(orders) > 200


def test_whole_doors_answer_whatever_comes() -> None:
    with doors(receiver=2, web=15) as through:
        tally = Runner(2, through).run(range(120))
    nothing_found(tally)
    assert tally.counts["door receiver"] > 40 and tally.counts["door wsgi"] > 5


@pytest.mark.gate
def test_no_body_of_many_becomes_an_order_that_does_not_follow_from_it() -> None:
    with doors(receiver=20, web=200) as through:
        nothing_found(Runner(3, through).run(range(8_000)))


def test_pieces_again_and_again_cost_a_stranger_no_more_than_their_length() -> None:
    assert [str(find) for find in large_bodies(1, 4)] == []


def test_a_body_is_made_again_from_the_seed_and_its_number() -> None:
    one, other = Runner(5).run([7, 8]), Runner(5).run([6, 7, 8])
    again = Runner(5).run([6])
    again.add(one)
    assert (again.bodies, again.traded, again.counts) == (other.bodies, other.traded, other.counts)


def test_the_command_tells_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "3", "--seed", "1"]) == 0
    assert "finds: none" in capsys.readouterr().out


@pytest.mark.parametrize("module", ["opinion", "grammar", "spoiling"])
def test_the_second_opinion_is_not_that_of_the_readers(module: str) -> None:
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8"))
    froms = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names]
    assert not [each for each in (*froms, *names) if each.split(".")[0] in ("alerts", "app", "use_cases")]


def leg(**changes: object) -> LegRequest:
    fields: dict[str, object] = {
        "symbol": "INFY", "exchange": "NSE", "side": Side.BUY, "quantity": Decimal(5), "product": "MIS",
        "order_type": OrderType.MARKET,
    }  # fmt: skip
    return LegRequest(**(fields | changes))  # type: ignore[arg-type]


BODY = b'{"action": "buy", "ticker": "NSE:INFY", "quantity": 5, "price": 101.5, "exchange": "NSE"}'
LIMIT = {"order_type": OrderType.LIMIT, "price": Decimal("101.5")}


@pytest.mark.parametrize(
    ("raw", "wrong", "why"),
    [
        (BODY, leg(side=Side.SELL), "nothing says SELL"),
        (BODY, leg(quantity=Decimal(50)), "nothing says the quantity 50"),
        (BODY, leg(quantity=Decimal("101.5")), "nothing says the quantity 101.5"),
        (BODY, leg(symbol="INF"), "no field for a symbol names it"),
        (BODY, leg(exchange="BSE"), "nothing names the exchange BSE"),
        (BODY, leg(**LIMIT), "nothing says LIMIT"),
        (BODY, leg(order_type=OrderType.LIMIT, price=Decimal(5)), "nothing says the price 5"),
        (BODY[:-1], leg(), "begins like JSON and is none"),
        (BODY.replace(b'"price"', b'"side": "sell", "price"'), leg(), "say buy and sell"),
        (BODY.replace(b'"price"', b'"action": "sell", "price"'), leg(), "say buy and sell"),
        (BODY.replace(b'"price"', b'"order_type": "limit", "price"'), leg(), "is MARKET"),
        (BODY.replace(b'"price"', b'"reduceOnly": true, "price"'), leg(), "reduceonly is on"),
        (BODY.replace(b": 5,", b": null,"), leg(quantity=Decimal(7919)), "the default quantity is traded"),
        (BODY.replace(b": 5,", b': "1,000",'), leg(quantity=Decimal(1)), "nothing says the quantity 1"),
        (BODY.replace(b'"buy"', b'"{{strategy.order.action}} buy"'), leg(), "the placeholder"),
    ],
)  # fmt: skip
def test_the_second_opinion_sees_what_does_not_follow(raw: bytes, wrong: LegRequest, why: str) -> None:
    found = list(opinion.complaints(opinion.view(raw), [wrong], FULL.default))
    assert any(why in each for each in found), found


def test_the_second_opinion_has_nothing_against_what_follows() -> None:
    outcome = read(BODY, FULL)
    assert [(each.kind, each.kind.execution_type) for each in outcome.legs] == [
        (LegKind.ENTRY, ExecutionType.ENTRY)
    ]
    assert list(opinion.complaints(opinion.view(BODY), outcome.legs, FULL.default)) == []
