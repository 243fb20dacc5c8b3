"""Whether a client's entries go: the state in the header of every page, from what stands in orders.db."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.account_state import AccountState
from domain.ports.read_model import Row
from domain.risk_stops import RiskRule

BY_LIMIT, NOT_KNOWN = "LIMIT REACHED", "P&L NOT KNOWN"


@dataclass(frozen=True, slots=True)
class TradingState:
    """A client's state. `parts`: its strategies that stand otherwise, each with its state."""

    client_id: str
    state: str
    parts: tuple[tuple[str, str], ...] = ()

    @property
    def is_active(self) -> bool:
        """True where every entry may go."""
        return self.state == AccountState.ACTIVE and not self.parts


def trading_states(
    clients: Iterable[str], halts: Sequence[Row], stops: Sequence[Row], accounts: Sequence[Row]
) -> list[TradingState]:
    """Return each client's state.

    Args:
        stops: those that stand at present.
        accounts: with `loss_latched`, the scopes of a loss limit of the day that was hit.
    """
    return [_state_of(client, halts, stops, accounts) for client in clients]


def _state_of(
    client: str, halts: Sequence[Row], stops: Sequence[Row], accounts: Sequence[Row]
) -> TradingState:
    found = dict[str, str]()
    for account in accounts:
        if account["client_id"] == client:
            found.update(dict.fromkeys(account["loss_latched"], BY_LIMIT))
    for stop in stops:
        if stop["client_id"] == client:
            _set_worse(found, stop["strategy_name"], _of_rule(stop["rule"]))
    for halt in halts:
        if halt["client_id"] == client:
            found[halt["strategy_name"]] = AccountState.HALTED
    whole = found.pop("", AccountState.ACTIVE)
    return TradingState(client, whole, tuple(sorted(found.items())))


_WORSE = (AccountState.REDUCING, NOT_KNOWN, BY_LIMIT, AccountState.HALTED)


def _set_worse(found: dict[str, str], strategy_name: str, state: str) -> None:
    present = found.get(strategy_name)
    if present is None or _WORSE.index(state) > _WORSE.index(present):
        found[strategy_name] = state


def _of_rule(rule: str) -> str:
    if rule == RiskRule.REDUCING:
        return AccountState.REDUCING
    return NOT_KNOWN if rule == RiskRule.UNKNOWN else BY_LIMIT
