"""The type of a blocker's rule, and the type of its answer."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.order import Order
from domain.reason_codes import Reason, tag_of
from domain.risk_facts import Facts


@dataclass(frozen=True, slots=True)
class Block:
    """A rule's refusal of an order: the reason, and the figures that a person needs to understand it."""

    reason: Reason
    detail: str = ""

    @property
    def tag(self) -> str:
        """`FAMILY:REASON`."""
        return tag_of(self.reason)

    @property
    def message(self) -> str:
        """The reason's sentence with its figures."""
        return self.reason.with_detail(self.detail)


Rule = Callable[[Order, Facts], Block | None]
"""Returns None to let the order pass. A rule that lacks a fact it needs blocks: entries fail closed."""
