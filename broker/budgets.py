"""The rate budgets of one account, shared by all processes of this machine. Its entries let exits go first."""

from dataclasses import dataclass
from typing import Any

from broker.description import BrokerSetup
from broker.rate_limit.limiter import Rate, RateBudget


@dataclass(frozen=True, slots=True)
class Budgets:
    """The outgoing rates of one account, of a broker that counts orders, quotes and all other calls apart."""

    orders: RateBudget
    reads: RateBudget
    quotes: RateBudget


def budget_of(setup: BrokerSetup[Any, Any], rate: Rate, what: str = "") -> RateBudget:
    """Return a rate budget of an account. `what` tells it from the account's others."""
    path = setup.orders_db.with_name(f"{setup.client_id}{what}.budget")
    return RateBudget(path, setup.clock, rate, exit_waits=setup.exit_waits)


def budgets_of(setup: BrokerSetup[Any, Any], *, orders: Rate, reads: Rate, quotes: Rate) -> Budgets:
    """Return the rate budgets of an account whose orders, quotes and other calls are counted apart."""
    # No client's id has a ~.
    return Budgets(
        budget_of(setup, orders), budget_of(setup, reads, "~reads"), budget_of(setup, quotes, "~quotes")
    )
