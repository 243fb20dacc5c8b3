"""What the closed trading days of a client ask for, looked up once a day."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from domain.past_days import KEPT_FOR, NOTHING_PAST, PastDays, past_of, sums_of_days
from domain.ports import Store
from domain.risk_stops import EventKind, RiskRule, Scope
from engine.pnl_counter import DayOf

_LIFTS_LOOKED_AT = 500  # events of the client's stops, the newest first


class _Kept(NamedTuple):
    day: date
    scopes: tuple[Scope, ...]
    past: Mapping[str, PastDays]


class PastResults:
    """Closed days change no more, so one look a day is enough. Safe to call from several threads."""

    def __init__(self, store: Store, day_of: DayOf) -> None:
        self._store = store
        self._day_of = day_of
        self._kept: dict[str, _Kept] = {}

    def of(self, client_id: str, scopes: Iterable[Scope], now: datetime) -> Mapping[str, PastDays]:
        """Return by strategy (empty: the client) what its closed days ask for.

        Raises:
            StoreUnavailable: the results cannot be read.
        """
        asking, today = tuple(scope for scope in scopes if scope.looks_back), self._day_of(now)
        if not asking:
            return {}
        kept = self._kept.get(client_id)
        if kept is None or (kept.day, kept.scopes) != (today, asking):
            kept = self._kept[client_id] = _Kept(today, asking, self._look(client_id, asking, today))
        return kept.past

    def _look(self, client_id: str, scopes: Iterable[Scope], today: date) -> dict[str, PastDays]:
        kept = list(scopes)
        longest = max(KEPT_FOR, *(scope.drawdown_days for scope in kept))
        results = self._store.results_since(client_id, today - timedelta(days=longest))
        lifted = self._lifts(client_id, today)
        return {
            scope.strategy_name: past_of(
                sums_of_days(results, scope.strategy_name),
                today,
                most=scope.max_losing_days,
                window=scope.drawdown_days,
                lifted=lifted.get(scope.strategy_name, {}),
            )
            for scope in kept
        }

    def _lifts(self, client_id: str, today: date) -> dict[str, dict[str, date]]:
        """The last lifts before today, by strategy; today's stand with the stops themselves."""
        found = dict[str, dict[str, date]]()
        names = {RiskRule.LOSING_DAYS: "losing_days", RiskRule.DRAWDOWN: "drawdown"}
        for event in self._store.risk_events(client_id, limit=_LIFTS_LOOKED_AT):
            name, day = names.get(event.key.rule), self._day_of(event.at)
            if event.kind is EventKind.LIFTED and name is not None and day < today:
                found.setdefault(event.key.strategy_name, {}).setdefault(name, day)
        return found


def past_in(past: Mapping[str, PastDays], strategy_name: str) -> PastDays:
    """Return what the closed days of a sum ask for; nothing where none is limited."""
    return past.get(strategy_name, NOTHING_PAST)
