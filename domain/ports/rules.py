"""The facts that the rules judge by, halts, and the loss of the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.daily_loss import DayLoss, Lift
from domain.limits import Limits
from domain.order import Order
from domain.risk_facts import ExitFacts, Facts


@dataclass(frozen=True, slots=True)
class ExposureQuery:
    """The order that the facts are about; `command_id` is None while it is not registered yet."""

    client_id: str
    strategy_name: str
    exchange: str
    symbol: str
    sign: int
    command_id: str | None = None
    product: str | None = None
    limits_of: str = ""  # the strategy whose own limits bind the order; empty: its client's limits bind it
    created_at: datetime | None = None  # None: now
    day_starts_at: datetime | None = None  # of the trading day; given where its entries are limited


class FactsQuestion(NamedTuple):
    """What the facts about an order are asked for: the order, the time, and what binds it."""

    query: ExposureQuery
    now: datetime
    limits: Limits
    live_allowed: bool


@dataclass(frozen=True, slots=True)
class Halt:
    """A halt of a strategy, or of the whole client where `strategy_name` is None; by whom and why."""

    client_id: str
    strategy_name: str | None
    at: datetime
    by: str
    reason: str


class RuleFacts(Protocol):
    """The facts that rules and exit sizing need, read in the transaction that acts on them."""

    def facts(self, query: ExposureQuery, *, now: datetime, limits: Limits, live_allowed: bool) -> Facts: ...

    def facts_of_all(self, questions: Sequence[FactsQuestion]) -> list[Facts]:
        """Return for each question what `facts` would return."""

    def exit_facts(self, order: Order, now: datetime) -> ExitFacts: ...


class StopWrites(Protocol):
    """What stops entries: halts, and the daily loss, in a transaction."""

    def set_halt(self, halt: Halt) -> None: ...

    def clear_halt(self, client_id: str, strategy_name: str | None) -> bool:
        """End a halt; True when there was one."""

    def day_loss(self, client_id: str) -> DayLoss | None:
        """Return the trading day's profit and loss; None while positions were never read."""

    def keep_day_loss(self, client_id: str, loss: DayLoss) -> None: ...

    def keep_lift(self, lift: Lift) -> None:
        """Record an operator's lift permanently."""
