"""Adoption: an operator gives units of the account that no strategy holds to one strategy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from domain.broker_reports import PositionsSnapshot
from domain.errors import InvalidAdoption
from domain.exit_sizing import OPERATOR
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.position_comparison import Place
from domain.risk_facts import Holding

_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class AdoptionRequest:
    """An operator's request. `quantity` in units, positive long; exchange and product None: whichever has units."""

    client_id: str
    symbol: str
    strategy_name: str
    quantity: Decimal
    by: str
    reason: str
    exchange: str | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """A notified difference: how much more the broker has than our strategies hold, and how much of it is believed."""

    where: Place
    amount: Decimal
    believed: Decimal
    is_external: bool


@dataclass(frozen=True, slots=True)
class AdoptionFacts:
    """What is known of one symbol on all exchanges, read in the transaction that adopts.

    - `snapshot`: the last successful read, as far as it is about the symbol; None: never read.
    - `read_error`: why the last read failed.
    - `orders`: the orders that have not ended, as in `domain.risk_facts.ExitFacts`.
    - `by_hand`: by exchange, the effect of external orders on the position, by the broker's rows of them.
    """

    snapshot: PositionsSnapshot | None = None
    read_error: str | None = None
    holdings: tuple[Holding, ...] = ()
    orders: tuple[Order, ...] = ()
    differences: tuple[KnownDifference, ...] = ()
    by_hand: Mapping[str, Decimal] = field(default_factory=dict)
    last_fill_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Adoption:
    """Adopted units, and the effect on the holding, the difference and the external orders there.

    Args:
        quantity: signed, positive long.
        average_price: the position's; None where the broker does not report it.
        read_at: when the read began that showed `at_broker` there.
        holding: what the strategy holds there from now on.
        difference: what remains of the difference that was notified there; None: none was notified there.
        explained: how many of the units were known from external orders, unsigned; those orders no longer explain them.
    """

    client_id: str
    exchange: str
    symbol: str
    product: str
    strategy_name: str
    quantity: Decimal
    average_price: Decimal | None
    at: datetime
    by: str
    reason: str
    read_at: datetime
    at_broker: Decimal
    holding: Holding
    difference: KnownDifference | None = None
    explained: Decimal = ZERO

    @property
    def means(self) -> str:
        """What the adoption means, as a text for people."""
        price = "" if self.average_price is None else f" at {decimal_text(self.average_price)}"
        return (
            f"{self.strategy_name} holds {decimal_text(self.holding.net_quantity)} {self.exchange} {self.symbol} "
            f"{self.product} from now on, {decimal_text(self.quantity)} of them adopted{price}. Its exits close them, "
            "and it counts as having entered"
        )


def check_request(request: AdoptionRequest) -> None:
    """Refuse a request that is wrong whatever the account has.

    Raises:
        InvalidAdoption: names the field.
    """
    name = request.strategy_name
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or "{{" in name:
        raise InvalidAdoption("strategy_name", f"expected 1 to {_LONGEST_NAME} printable characters")
    if name.strip().upper() == OPERATOR:
        raise InvalidAdoption(
            "strategy_name", f"{OPERATOR} is reserved: it stands for what no strategy holds"
        )
    if not request.quantity.is_finite() or not request.quantity:
        raise InvalidAdoption(
            "quantity", "expected units other than 0: above it for long, below it for short"
        )
    for field_name in ("symbol", "reason", "by"):
        if not getattr(request, field_name).strip():
            raise InvalidAdoption(field_name, "expected a text that is not blank")
