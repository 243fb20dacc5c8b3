"""What the tests that all brokers over HTTP share have to know of one of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from broker.simulator.server import SimulatorServer
from tests.contract.http_stub import Answer


@dataclass(frozen=True, kw_only=True)
class HttpBroker:
    """One broker. Each broker's tests describe it once, and `tests/broker/over_http.py` lists them.

    - `make`: makes the adapter at a URL, with a clock and a folder; then by name `timeouts`, `horizon`, and the
      account's `access_token` and `login_file`.
    - `a_server`: starts the simulated broker that speaks this wire, with a clock, and a journal if there is one.
    - `user`, `token`: of the account. `remedy` and `file_remedy`: words with which a person is told how to get another
      token, without a file and with one.
    - `told`: what its stub answers from the beginning.
    - `profile`, `place`, `book`, `positions`: the calls, method and path; `order`: the path of an order's own calls.
    - `whose`: answers to `profile` that the token is that user's. `unchecked`: answers that name nobody. `ended`: that
      the token is not valid (any more).
    - `placed`: answers that an order was taken; its number is `number`.
    - `rows`: answers a call with rows. `row`: a row of the book with this number and day (YYYY-MM-DD).
    - `no_rows`: answers to a read that are no rows.
    - `refusals`: what refuses an order, the broker's words in it, and the code that we give it.
    - `refused_address`: refuses the machine's address; the words with which a person is told what to do.
    - `prove_nothing`: answers to an order of which nobody knows whether it was taken.
    - `turned_away`: an order was turned away, and the code that we give it.
    - `full`: turns an order away because too many were made. `down`: an error of the server.
    - `inexpressible`: changes that the wire cannot express, and the field that is named.
    - `doubted`: faults of the simulator's answers after which an order that is there looks refused or lost.
    """

    name: str
    make: Callable[..., Any]
    a_server: Callable[..., SimulatorServer]
    user: str
    token: str
    remedy: str
    file_remedy: str
    told: Mapping[str, Answer]
    profile: str
    place: str
    order: str
    book: str
    positions: str
    whose: Callable[[str], Answer]
    unchecked: Sequence[Answer]
    ended: Sequence[Answer]
    placed: Answer
    number: str
    rows: Callable[[str, Sequence[Any]], Answer]
    row: Callable[[str, str], Mapping[str, Any]]
    no_rows: Sequence[Answer]
    refusals: Sequence[tuple[Answer, str, str]]
    refused_address: tuple[Answer, str]
    prove_nothing: Sequence[Answer]
    turned_away: Sequence[tuple[Answer, str]]
    full: Answer
    down: Answer
    inexpressible: Sequence[tuple[Mapping[str, Any], str]]
    doubted: Sequence[Mapping[str, Any]]

    @property
    def cancel(self) -> str:
        """The call that cancels the order of `number`."""
        return f"DELETE {self.order}/{self.number}"


def each(brokers: Sequence[HttpBroker], names: str, field: str) -> pytest.MarkDecorator:
    """Run a test for each broker (`at`) with each of what a field of it lists, under these names."""
    wanted = [name.strip() for name in names.split(",")]
    cases = [
        pytest.param(at, *(case if len(wanted) > 1 else (case,)), id=f"{at.name}-{number}")
        for at in brokers
        for number, case in enumerate(getattr(at, field))
    ]
    return pytest.mark.parametrize(("at", *wanted), cases)
