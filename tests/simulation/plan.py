"""What happens in one simulated world: data made of a seed, to be cut down and run again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from domain.alert import LegRequest, ParsedAlert, kind_of
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.enums import ExecutionType, LegKind, OrderType, Side, TestMode
from domain.limits import StrategyBook
from tests.simulation.group_policies import policies
from tests.simulation.planned_terms import terms_of, with_further_terms
from tests.simulation.risking import Money, money_of

EXCHANGE, PRODUCT, OTHER_PRODUCT = "NFO", "MIS", "NRML"

RATES: Mapping[str, float] = {
    # processes, at each boundary they cross
    "crash": 0.004,
    "yield": 0.10,  # let others go first
    "store fails": 0.004,
    # order calls
    "not sent": 0.03,
    "turned away": 0.01,  # the broker's own word, as for a session that has ended
    "turned away, taken": 0.005,  # and it has taken it all the same
    "refused": 0.03,
    "lost": 0.03,  # never arrives, and nobody can say so
    "unanswered": 0.04,  # arrives; the answer does not
    "late": 0.02,  # arrives long after the caller gave up
    "hangs": 0.004,
    "slow": 0.20,
    "accepted late": 0.02,  # within the broker's horizon of late acceptance
    "revived": 0.004,  # accepted when even that is over
    # the broker's reads
    "book fails": 0.06,
    "book lags": 0.30,
    "book is of open orders": 0.05,
    "book repeats": 0.15,
    "positions fail": 0.04,
    "positions lag": 0.30,
    "cancel fails": 0.30,
    # reads that succeed and are wrong
    "book row twice": 0.02,  # of an order: the old row always comes after the new one
    "complete of nothing": 0.02,  # of an order: COMPLETE with nothing filled, for a while
    "book row unreadable": 0.01,  # of an order, for a while
    "positions empty": 0.004,  # "no data", for seconds
    "positions behind": 0.01,  # by more than the horizon, for seconds, and nobody says so
    "position row missing": 0.01,
    "position row unreadable": 0.01,
    "position wild": 0.01,  # any quantity, for one read
    # what becomes of an order at the exchange; the rest is filled at once
    "filled later": 0.18,
    "partly, then cancelled": 0.05,
    "rejected later": 0.05,
    "expired": 0.02,
    "rests": 0.03,
    "a limit exit rests": 0.50,
    "overfilled": 0.004,
    "dead, then filled": 0.004,
    # people and channels
    "redelivered": 0.08,
    "cancelled by hand": 0.03,
    "halted": 0.004,
    "traded by hand": 0.02,
    "traded by hand beside us": 0.04,  # in a symbol of our strategies
    "converted by hand": 0.01,  # a position goes over to another product
    "telegram fails": 0.30,
}
"""How often each thing goes wrong, where a world has it at all."""

ASIDE: Mapping[str, float] = {
    "round trip by hand": 0.03,  # in a symbol of our strategies: bought, and sold again some time later
    "order by hand shows late": 0.50,  # of an order by hand: the book has it long after the positions
    "dead row kept": 0.50,  # of a request that was turned away: it stands in the book, dead, under our tag
    "outage": 0.50,  # of a pause: nothing of the broker can be read for most of it
    "traded by hand in a pause": 0.10,  # of an alert before the pause: in its symbol
}
"""More that goes wrong, drawn from streams of its own: the worlds are what they would be without it, and then this."""

PROTECTING: Mapping[str, float] = {
    "protected": 0.30,  # of an entry: it brings a stop, a target or a trail
    "further terms": 0.35,  # several targets, a move to cost, a time to exit
    "price missing": 0.05,  # of a position in one read
    "price is nothing": 0.02,  # it is 0
}
"""What concerns stops and targets, drawn from streams of its own too."""

RESTING: Mapping[str, float] = {
    # of an exit at market: the broker makes a limit of it, and the price moves away
    "a market exit rests": 0.20,
    "partly filled first": 0.30,  # of such an exit
}
"""What concerns exits that rest, drawn from streams of its own too."""

MONEY: Mapping[str, float] = {"limits on money": 0.40}
"""Of all worlds, so many have limits on profit and loss and on positions, from a stream of its own as well."""

SHAPES: Mapping[str, float] = {
    "exit soon": 0.15,  # while its entry may rest, be partly filled, or be unknown
    "exit of nothing": 0.03,  # of a strategy that has entered nothing there
    "exit names a side": 0.20,
    "target, then stop": 0.10,  # a limit exit, and a market exit while it may rest
    "stop and reverse": 0.08,  # an exit and an entry of the other side in one instant, in either order
    "limits": 0.25,  # of a world: so few open orders are allowed that alerts with several legs meet it
}
"""How often alerts come in the forms in which order bots have been wrong."""

ALERTS = 300
"""How many alerts are sent in a world, where nothing else is asked for."""

PAUSES = 0.12
"""Of all worlds, so many have minutes without alerts: what reads have shown all that time is believed."""

GROUPING: Mapping[str, float] = {
    "groups": 0.7,  # of a strategy: an incomplete group of its legs is unwound
}
"""What concerns groups of legs, drawn from a stream of its own too."""

ADJUSTING: Mapping[str, float] = {
    "adjusts": 0.10,  # of an exit: its alert enters another symbol too, when the exit is done
}
"""What concerns alerts that leave and enter, drawn from a stream of its own too."""

FREEZING: Mapping[str, float] = {"freeze": 0.30}
"""Of all worlds, so many have an exchange that takes only a few units in one order, from a stream of its own."""

CLOCKS: Mapping[str, float] = {"clock set": 0.25}
"""Of all worlds, so many have a machine whose clock is set, from a stream of its own. The broker's clock is not."""

CLOCK_STEPS = (2.0, 20.0, 90.0, 400.0)

ROWS: Mapping[str, float] = {
    "tag lost": 0.01,  # of an order: its row in the book never carries our tag
    "made smaller by hand": 0.02,  # of an alert: about its time, one of our orders that rest
}
"""What rows of the book may have become, drawn from streams of their own."""

SWITCHES = (
    *RATES,
    *ASIDE,
    *PROTECTING,
    *RESTING,
    *MONEY,
    *SHAPES,
    *GROUPING,
    *ADJUSTING,
    *FREEZING,
    *CLOCKS,
    *ROWS,
)
"""Everything that a run can leave out."""


@dataclass(frozen=True)
class PlannedAlert:
    """An alert, and the second in which its sender first tries to deliver it.

    `pair` is one number for an exit and for the entry of the other side that comes with it.
    """

    at: float
    alert: ParsedAlert
    pair: int | None = None


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
    acceptance_horizon: float = 0.0
    claims_together: int = 1
    max_open_orders: int | None = None
    largest: Decimal | None = None  # quantity of one exit; entries above it do not get past the door
    rates: Mapping[str, float] = field(default_factory=lambda: dict(RATES))
    money: Money | None = None
    clock: tuple[tuple[float, float], ...] = ()  # at that second it is set forward, or back, by so many
    pause: tuple[float, float] | None = None
    """From this second to that one no alert comes."""

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
            acceptance_horizon=self.acceptance_horizon,
            claims_together=self.claims_together,
        )

    @property
    def strategies(self) -> StrategyBook:
        """How each strategy's orders are handled."""
        return policies(self.random("groups"), self.rates["groups"])

    @property
    def has_protections(self) -> bool:
        """Whether any entry brings a stop, a target or a trail."""
        return any(leg.protection is not None for planned in self.alerts for leg in planned.alert.legs)

    @property
    def has_prices(self) -> bool:
        """Whether anything depends on what the market costs."""
        return self.money is not None or self.has_protections

    @property
    def ends(self) -> float:
        """The second after which nothing new is asked for."""
        return max((planned.at for planned in self.alerts), default=0.0) + 5.0

    def random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that one drawn from more often does not move the others."""
        return Random(f"{self.seed} {purpose}")


def make_plan(seed: str, *, alerts: int = ALERTS, without: Collection[str] = ()) -> Plan:
    """The world of that seed; `without` names what is left out of it."""
    random = Random(f"{seed} plan")
    clients = ("alpha", "beta")[: random.choice((1, 2, 2))]
    rates = {name: rate * random.choice((0.0, 1.0, 1.0, 2.0)) for name, rate in RATES.items()}
    rates["yield"] = RATES["yield"]
    shapes = {name: rate * random.choice((0.0, 1.0, 1.0, 2.0)) for name, rate in SHAPES.items()}
    id_class = random.choice(list(IdClass))
    acceptance_horizon = random.choice((0.0, 0.0, 15.0, 30.0))
    if not acceptance_horizon:
        rates["accepted late"] = rates["revived"] = 0.0
    if id_class in (IdClass.C0, IdClass.C3) or random.random() < 0.6:
        # Nobody could tell whose it is, or its id counts no longer; and where it happens, worlds last for minutes.
        rates["revived"] = 0.0
    aside = Random(f"{seed} aside")
    rates |= {name: rate * aside.choice((0.0, 1.0, 1.0)) for name, rate in ASIDE.items()}
    protecting = Random(f"{seed} protecting")
    often = protecting.choice((0.0, 1.0, 2.0))
    rates |= {name: rate * often for name, rate in PROTECTING.items()}
    resting = Random(f"{seed} resting").choice((0.0, 1.0, 2.0))
    rates |= {name: rate * resting for name, rate in RESTING.items()}
    rates |= {name: rate * Random(f"{seed} often").choice((0.0, 1.0, 1.3)) for name, rate in GROUPING.items()}
    rates |= {**MONEY, **FREEZING, **ADJUSTING, **CLOCKS}
    rows = Random(f"{seed} rows")
    rates |= {name: rate * rows.choice((0.0, 1.0, 2.0)) for name, rate in ROWS.items()}
    length = aside.uniform(200.0, 300.0) if aside.random() < PAUSES else 0.0
    for name in without:
        (rates if name in rates else shapes)[name] = 0.0
    plan = Plan(
        seed=seed,
        id_class=id_class,
        clients=clients,
        webs=random.choice((1, 2)),
        watchers=random.choice((1, 1, 2, 2, 3)),
        executors=random.choice((1, 2)),
        visibility_horizon=random.choice((0.0, 1.0, 3.0)),
        position_horizon=random.choice((0.0, 0.5, 2.0)),
        book_interval=random.choice((0.0, 0.5, 1.0)),
        book_has_times=random.random() < 0.5,
        acceptance_horizon=acceptance_horizon,
        claims_together=Random(f"{seed} batches").choice((1, 4, 32)) if id_class is IdClass.C4 else 1,
        max_open_orders=random.choice((4, 8)) if random.random() < shapes["limits"] else None,
        alerts=_Market(random, clients, shapes).alerts(alerts),
        rates=rates,
    )
    freezing = Random(f"{seed} freeze")
    if freezing.random() < rates["freeze"]:
        plan = replace(plan, largest=Decimal(freezing.choice((25, 40))))
    clocks = Random(f"{seed} clock")
    if clocks.random() < rates["clock set"]:
        plan = replace(plan, clock=_clock(clocks, plan))
    risky = Random(f"{seed} limits on money")
    if risky.random() < rates["limits on money"]:
        plan = slower(replace(plan, money=money_of(risky)), risky.choice((1.0, 3.0, 6.0)))
    further = Random(f"{seed} further terms")
    plan = replace(plan, alerts=tuple(_protected(each, rates, protecting, further) for each in plan.alerts))
    adjusting = Random(f"{seed} adjusting")
    plan = replace(plan, alerts=tuple(_adjusting(each, rates, adjusting) for each in plan.alerts))
    return with_pause(plan, length) if length else plan


def _protected(
    planned: PlannedAlert, rates: Mapping[str, float], random: Random, further: Random
) -> PlannedAlert:
    """The same alert; if it enters, perhaps with what protects its legs."""
    alert = planned.alert
    if alert.execution_type is not ExecutionType.ENTRY or random.random() >= rates["protected"]:
        return planned
    legs = []
    for leg in alert.legs:
        terms = terms_of(leg, random)
        if further.random() < rates["further terms"]:
            terms = with_further_terms(terms, further)
        legs.append(replace(leg, protection=terms))
    return replace(planned, alert=replace(alert, legs=tuple(legs)))


def _adjusting(planned: PlannedAlert, rates: Mapping[str, float], random: Random) -> PlannedAlert:
    """The same alert; if it exits alone, perhaps it enters another symbol too."""
    alert = planned.alert
    is_alone = alert.execution_type is ExecutionType.EXIT and planned.pair is None
    if not is_alone or random.random() >= rates["adjusts"]:
        return planned
    symbol = f"SYM{random.randrange(24)}"
    side = Side.BUY if hash_of(symbol) % 2 else Side.SELL
    entry = LegRequest(
        symbol,
        EXCHANGE,
        side,
        Decimal(random.choice((25, 50))),
        PRODUCT,
        OrderType.MARKET,
        kind=LegKind.ENTRY,
    )
    legs = tuple(replace(leg, kind=kind_of(ExecutionType.EXIT, leg.quantity)) for leg in alert.legs)
    both = replace(alert, execution_type=ExecutionType.ADJUST, legs=(*legs, entry))
    return replace(planned, alert=both)


def _clock(random: Random, plan: Plan) -> tuple[tuple[float, float], ...]:
    """When the machine's clock is set, and by how much: by a service that keeps it, or by a person.

    Where nothing is echoed, orders are told apart by the broker's times too: there clocks differ by little.
    """
    times = sorted(random.uniform(0.0, plan.ends) for _ in range(random.choice((1, 1, 2))))
    steps = (1.0,) if plan.id_class is IdClass.C0 and plan.book_has_times else CLOCK_STEPS
    return tuple((round(at, 3), random.choice(steps)) for at in times)


def slower(plan: Plan, times: float) -> Plan:
    """The same world with its alerts so much farther apart: prices have time to reach a limit between them."""
    return replace(plan, alerts=tuple(replace(each, at=round(each.at * times, 3)) for each in plan.alerts))


def with_pause(plan: Plan, seconds: float) -> Plan:
    """The same world, with a pause of so many seconds after half of its alerts."""
    half = len(plan.alerts) // 2
    begins = plan.alerts[half - 1].at if half else 0.0
    later = tuple(replace(planned, at=round(planned.at + seconds, 3)) for planned in plan.alerts[half:])
    return replace(plan, alerts=plan.alerts[:half] + later, pause=(begins, begins + seconds))


class _Market:
    """Strategies that enter and, some time later, exit; with repetitions of what was said before."""

    def __init__(self, random: Random, clients: tuple[str, ...], shapes: Mapping[str, float]) -> None:
        self._random = random
        self._clients = clients
        self._shapes = shapes
        self._symbols = random.choice((24, 80, 80))
        self._gap = random.choice((0.03, 0.06, 0.15))
        self._planned: list[PlannedAlert] = []
        self._entered: list[ParsedAlert] = []

    def alerts(self, count: int) -> tuple[PlannedAlert, ...]:
        """So many of them, in the order in which they come."""
        random, at = self._random, 1.0
        while len(self._planned) < count:
            at += random.expovariate(1 / self._gap)
            if self._entered and random.random() < 0.4:
                entry = self._entered.pop(random.randrange(min(len(self._entered), 12)))
                self._leave(at, entry)
            else:
                self._enter(at)
        return tuple(sorted(self._planned[:count], key=lambda planned: planned.at))

    def _is(self, shape: str) -> bool:
        return self._random.random() < self._shapes[shape]

    def _say(self, at: float, alert: ParsedAlert, pair: int | None = None) -> None:
        self._planned.append(PlannedAlert(round(at, 3), alert, pair))

    def _enter(self, at: float) -> None:
        random = self._random
        entry = self._entry()
        if self._is("exit of nothing"):
            self._say(at, self._exit(entry))
            return
        self._say(at, entry)
        if entry.test_mode is not None:
            return
        if self._is("exit soon"):
            self._leave(at + random.choice((0.01, 0.5, 3.0)) * random.uniform(0.5, 1.5), entry)
        else:
            self._entered.append(entry)

    def _leave(self, at: float, entry: ParsedAlert) -> None:
        random = self._random
        if self._is("stop and reverse"):
            self._turn(at, entry)
        elif self._is("target, then stop"):
            price = Decimal(random.randrange(110, 130))
            self._say(at, self._exit(entry, order_type=OrderType.LIMIT, price=price))
            self._say(at + random.uniform(0.1, 6.0), self._exit(entry))
        else:
            self._say(at, self._exit(entry))

    def _turn(self, at: float, entry: ParsedAlert) -> None:
        """Out of it and into the other side, in either order of delivery."""
        number = len(self._planned)
        legs = tuple(replace(leg, side=leg.side.opposite) for leg in entry.legs if leg.side is not None)
        other = replace(entry, legs=legs, signal_id=f"turn-{number}" if self._random.random() < 0.7 else None)
        both = [self._exit(entry, whole=True), other]
        if self._random.random() < 0.4:
            both.reverse()
        for turn, alert in enumerate(both):
            self._say(at + turn * self._random.choice((0.001, 0.001, 1.0)), alert, number)
        self._entered.append(other)

    def _entry(self) -> ParsedAlert:
        random = self._random
        legs = tuple(self._leg() for _ in range(random.choice((1, 1, 1, 1, 2, 3))))
        if len({leg.symbol for leg in legs}) < len(legs):
            legs = legs[:1]
        test_mode = random.choice((TestMode.SUCCESS, TestMode.FAILURE)) if random.random() < 0.04 else None
        return ParsedAlert(
            format="native",
            client_id=random.choice(self._clients),
            strategy_name=f"S{random.randrange(8)}",
            execution_type=ExecutionType.ENTRY,
            legs=legs,
            signal_id=f"entry-{len(self._planned)}" if random.random() < 0.7 else None,
            test_mode=test_mode,
        )

    def _leg(self) -> LegRequest:
        random = self._random
        symbol = f"SYM{random.randrange(self._symbols)}"
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

    def _exit(
        self,
        entry: ParsedAlert,
        *,
        order_type: OrderType = OrderType.MARKET,
        price: Decimal | None = None,
        whole: bool = False,
    ) -> ParsedAlert:
        random = self._random
        names_side = self._is("exit names a side")

        def leaving(leg: LegRequest) -> LegRequest:
            quantity = None if whole or random.random() < 0.7 else leg.quantity
            return LegRequest(
                symbol=leg.symbol,
                exchange=leg.exchange,
                side=leg.side.opposite if names_side and leg.side else None,
                quantity=quantity,
                product=leg.product,
                order_type=order_type,
                price=price,
                kind=kind_of(ExecutionType.EXIT, quantity),
            )

        return ParsedAlert(
            format="native",
            client_id=entry.client_id,
            strategy_name=entry.strategy_name,
            execution_type=ExecutionType.EXIT,
            legs=tuple(leaving(leg) for leg in entry.legs),
            signal_id=f"exit-{len(self._planned)}" if random.random() < 0.7 else None,
        )


def hash_of(symbol: str) -> int:
    """A number for a symbol, the same in every process."""
    return sum(symbol.encode())
