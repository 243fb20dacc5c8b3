"""What the conversation needs from outside: the operator's actions, and what is read besides the read model."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from command_service import ResolvedFill
from domain.planned_exit import PlannedExit


class Actions(Protocol):
    """The actions of an operator. Each raises `StoreUnavailable` when nothing was stored; else as the console's do."""

    def halt(self, client_id: str, strategy_name: str | None, by: str, reason: str) -> None: ...

    def resume(self, client_id: str, strategy_name: str | None, by: str) -> bool:
        """Lift a halt; False when nothing was halted there."""

    def cancel(self, command_id: str, *, by: str, reason: str) -> None: ...

    def resolve(
        self, command_id: str, *, by: str, executed: ResolvedFill | None, failed_reason: str | None
    ) -> None: ...

    def cancel_protection(self, protection_id: str, *, by: str, reason: str) -> None: ...

    def tighten_protection(
        self,
        protection_id: str,
        *,
        stop: Decimal | None,
        target: Decimal | None,
        by: str,
        is_confirmed: bool = False,
    ) -> None: ...

    def planned_exits(self, client_id: str, symbol: str | None) -> list[PlannedExit]:
        """List the exits that close what the client has open, or what it has of one symbol.

        Raises:
            NotFound: the client's positions were never read.
        """

    def exit_position(self, planned: PlannedExit, *, id_: str, by: str) -> str:
        """Ask for an exit and return its state in words. The same `id_` again asks for nothing more."""


class OrderSearch(Protocol):
    """Finds orders by what a person types."""

    def find_story(self, text: str) -> tuple[list[str], dict[str, Any] | None]:
        """Find orders by the end of their id; of exactly one, return its story as well."""


class HealthCheck(NamedTuple):
    """One check: whether all is well, and why not."""

    ok: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat that is configured. `operators`: of each of its clients, who may act (user ids); empty: nobody."""

    chat_id: str
    operators: Mapping[str, Collection[str]]

    @property
    def clients(self) -> list[str]:
        """The clients that the chat sees, sorted."""
        return sorted(self.operators)

    def acts_on(self, user_id: str) -> list[str]:
        """The clients on which this user may act from here."""
        return [client for client in self.clients if user_id in self.operators[client]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the answers are made of, besides the read model. `modes`: what happens to each client's orders, in words."""

    zone: ZoneInfo
    modes: Mapping[str, str]
    checks: Callable[[], Mapping[str, HealthCheck]]
