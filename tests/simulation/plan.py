"""What happens in one simulated world: data made of a seed, to be cut down and run again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from domain.alert import ExecutionType, LegRequest, OrderType, ParsedAlert, Side, TestMode
from domain.reports import BrokerTraits, IdClass

EXCHANGE, PRODUCT = "NFO", "MIS"

RATES: Mapping[str, float] = {
    # processes, at each boundary they cross
    "crash": 0.004,
    "yield": 0.10,  # let others go first
    "store fails": 0.004,
    # order calls
    "not sent": 0.03,
    "refused": 0.03,
    "lost": 0.03,  # never arrives, and nobody can say so
    "unanswered": 0.04,  # arrives; the answer does not
    "late": 0.02,  # arrives long after the caller gave up
    "hangs": 0.004,
    "slow": 0.20,
    # the broker's reads
    "book fails": 0.06,
    "book lags": 0.30,
    "book is of open orders": 0.05,
    "book repeats": 0.15,
    "positions fail": 0.04,
    "positions lag": 0.30,
    "cancel fails": 0.30,
    # what becomes of an order at the exchange; the rest is filled at once
    "filled later": 0.18,
    "partly, then cancelled": 0.05,
    "rejected later": 0.05,
    "expired": 0.02,
    "rests": 0.03,
    "overfilled": 0.004,
    "dead, then filled": 0.004,
    # people and channels
    "redelivered": 0.08,
    "cancelled by hand": 0.03,
    "halted": 0.004,
    "traded by hand": 0.02,
    "telegram fails": 0.30,
}
"""How often each thing goes wrong, where a world has it at all."""


@dataclass(frozen=True)
class PlannedAlert:
    """An alert, and the second in which its sender first tries to deliver it."""

    at: float
    alert: ParsedAlert


@dataclass(frozen=True)
class Plan:
    """One world."""

    seed: str
    id_class: IdClass
    clients: tuple[str, ...]
    webs: int
    watchers: int
    executors: int
    visibility_horizon: float
    position_horizon: float
    book_interval: float
    book_has_times: bool  # and product, order type and price
    alerts: tuple[PlannedAlert, ...]
    rates: Mapping[str, float] = field(default_factory=lambda: dict(RATES))

    @property
    def traits(self) -> BrokerTraits:
        """What the broker promises in this world."""
        return BrokerTraits(
            name="simulated",
            is_real=False,
            id_class=self.id_class,
            id_window=120.0 if self.id_class is IdClass.C3 else 0.0,
            visibility_horizon=self.visibility_horizon,
            position_horizon=self.position_horizon,
            book_interval=self.book_interval,
        )

    @property
    def ends(self) -> float:
        """The second after which nothing new is asked for."""
        return max((planned.at for planned in self.alerts), default=0.0) + 5.0

    def random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that one drawn from more often does not move the others."""
        return Random(f"{self.seed} {purpose}")


def make_plan(seed: str, *, alerts: int = 300) -> Plan:
    """The world of that seed."""
    random = Random(f"{seed} plan")
    clients = ("alpha", "beta")[: random.choice((1, 2, 2))]
    rates = {name: rate * random.choice((0.0, 1.0, 1.0, 2.0)) for name, rate in RATES.items()}
    rates["yield"] = RATES["yield"]
    return Plan(
        seed=seed,
        id_class=random.choice(list(IdClass)),
        clients=clients,
        webs=random.choice((1, 2)),
        watchers=random.choice((1, 1, 2, 2, 3)),
        executors=random.choice((1, 2)),
        visibility_horizon=random.choice((0.0, 1.0, 3.0)),
        position_horizon=random.choice((0.0, 0.5, 2.0)),
        book_interval=random.choice((0.0, 0.5, 1.0)),
        book_has_times=random.random() < 0.5,
        alerts=_alerts(random, clients, alerts),
        rates=rates,
    )


def _alerts(random: Random, clients: tuple[str, ...], count: int) -> tuple[PlannedAlert, ...]:
    """Strategies that enter and, some time later, exit; with repetitions of what was said before."""
    planned: list[PlannedAlert] = []
    at, gap = 1.0, random.choice((0.03, 0.06, 0.15))
    entered: list[ParsedAlert] = []
    for number in range(count):
        at += random.expovariate(1 / gap)
        if entered and random.random() < 0.4:
            alert = _exit(random, entered.pop(random.randrange(min(len(entered), 12))), number)
        else:
            alert = _entry(random, random.choice(clients), number)
            if alert.test_mode is None:
                entered.append(alert)
        planned.append(PlannedAlert(round(at, 3), alert))
    return tuple(planned)


def _entry(random: Random, client: str, number: int) -> ParsedAlert:
    legs = tuple(_leg(random) for _ in range(random.choice((1, 1, 1, 1, 2, 3))))
    if len({leg.symbol for leg in legs}) < len(legs):
        legs = legs[:1]
    test_mode = random.choice((TestMode.SUCCESS, TestMode.FAILURE)) if random.random() < 0.04 else None
    return ParsedAlert(
        format="native",
        client_id=client,
        strategy_name=f"S{random.randrange(8)}",
        execution_type=ExecutionType.ENTRY,
        legs=legs,
        signal_id=f"entry-{number}" if random.random() < 0.7 else None,
        test_mode=test_mode,
    )


def _leg(random: Random) -> LegRequest:
    symbol = f"SYM{random.randrange(80)}"
    limit = random.random() < 0.5
    return LegRequest(
        symbol=symbol,
        exchange=EXCHANGE,
        # Mostly one side for each symbol: strategies on two sides of one block each other.
        side=Side.BUY if (hash_of(symbol) + (random.random() < 0.05)) % 2 else Side.SELL,
        quantity=Decimal(random.choice((25, 50, 75, 100))),
        product=PRODUCT,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        price=Decimal(random.randrange(90, 110)) if limit else None,
    )


def hash_of(symbol: str) -> int:
    """A number for a symbol, the same in every process."""
    return sum(symbol.encode())


def _exit(random: Random, entry: ParsedAlert, number: int) -> ParsedAlert:
    legs = tuple(
        LegRequest(
            symbol=leg.symbol,
            exchange=leg.exchange,
            side=None,
            quantity=None if random.random() < 0.7 else leg.quantity,
            product=leg.product,
            order_type=OrderType.MARKET,
        )
        for leg in entry.legs
    )
    return ParsedAlert(
        format="native",
        client_id=entry.client_id,
        strategy_name=entry.strategy_name,
        execution_type=ExecutionType.EXIT,
        legs=legs,
        signal_id=f"exit-{number}" if random.random() < 0.7 else None,
    )
