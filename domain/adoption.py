"""Adopting: units of the account that no strategy holds become one strategy's holding, because a person says so."""

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
    """What a person asks for. `quantity` in units, positive long; exchange and product None: whichever has units."""

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
    """What was told of one place: by how much the broker has more than we hold, and how much of it is believed."""

    where: Place
    amount: Decimal
    believed: Decimal
    is_external: bool


@dataclass(frozen=True, slots=True)
class AdoptionFacts:
    """What is known of one symbol on all exchanges, read in the transaction that adopts.

    `snapshot` is the last successful read, as far as it is about the symbol (None: never read); `read_error` says why
    the last read failed. `orders` are those that are not over, as of `domain.risk_facts.ExitFacts`. `by_hand` is, by
    exchange, what the broker's rows of orders that are not ours did to the position.
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
    """Units that were adopted, and what follows from it for what was known before.

    Args:
        quantity: signed, positive long.
        average_price: the position's; None where the broker does not tell it.
        read_at: when the read began that showed `at_broker` there.
        holding: what the strategy holds there from now on.
        difference: what remains of the difference that was told there; None: none was told there.
        explained: how much of the units was known by orders by hand, unsigned; those rows explain nothing more.
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
        """What follows, for people."""
        price = "" if self.average_price is None else f" at {decimal_text(self.average_price)}"
        return (
            f"{self.strategy_name} holds {decimal_text(self.holding.net_quantity)} {self.exchange} {self.symbol} "
            f"{self.product} from now on, {decimal_text(self.quantity)} of them adopted{price}. Its exits close them, "
            "and it counts as having entered"
        )


def check_request(request: AdoptionRequest) -> None:
    """Refuse what no account could make right.

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
