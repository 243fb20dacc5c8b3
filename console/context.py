"""The context that all console routes share, and the data that several pages and JSON answers have in common."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import unquote

from flask import request

from console.access import MAX_NAME, NAME_COOKIE, Access, LoginLimit
from console.attention import Known, attention
from console.health import (
    HealthExpectations,
    account_read,
    age_seconds,
    all_checks,
    as_json,
    loop_checks,
    unconfigured,
    watchers,
)
from console.parameters import BadParameter, Parameters
from console.ports import ConsoleControl, Modes, TradingMode
from console.template_filters import PageFormatter
from console.trading_state import trading_states
from domain.broker_reports import UnreadableRow
from domain.errors import NotFound
from domain.health import ComparedState, compared_state
from domain.ports import Clock, OperatorRecords
from domain.ports.read_model import ReadModel, Row
from domain.stale_orders import FROZEN_AFTER
from domain.unreadable_rows import place_of

_MOST_FROZEN = 500  # rows that are listed; the rest is only counted


@dataclass(frozen=True, slots=True)
class Desk:
    """The console's collaborators. `zone` is the time zone in which times are shown and a filter's days are read."""

    reader: ReadModel
    control: ConsoleControl
    access: Access
    limit: LoginLimit
    clock: Clock
    zone: tzinfo
    modes: Modes
    expected: HealthExpectations
    records: OperatorRecords

    def client_of(self, fields: Parameters) -> str:
        """Return the client that the fields name. Without a name it is the only client; several need a name.

        Raises:
            BadParameter: there are several clients and none is named.
            NotFound: there is no such client.
        """
        named = fields.name("client_id")
        if named is not None and named not in self.modes:
            raise NotFound(f"no client {named!r}; there is {', '.join(self.modes)}")
        if named is None and len(self.modes) > 1:
            raise BadParameter("client_id", f"name one of {', '.join(self.modes)}", "MISSING_PARAMETER")
        return named or next(iter(self.modes))

    def header(self, now: datetime) -> dict[str, Any]:
        """Return the data of every page's header. Raises StoreUnavailable."""
        accounts, halts, stops = self._accounts(now), self.reader.halts(), self.reader.stops(now)
        differences = self._differences()
        checks = loop_checks(
            self.reader.heartbeats(), accounts, self.reader.unreadable_positions(), self.expected, now
        )
        known = Known(checks, accounts, halts, stops, differences)
        return {
            "checks": checks,
            "accounts": accounts,
            "states": trading_states(self.modes, halts, stops, accounts),
            "needs": attention(self.reader, self.records, known, now),
            "mode": self._mode(),
            "exits_off": self._exits_off(),
            "unconfigured": unconfigured(self.reader, self.expected, now),
        }

    def health(self, now: datetime) -> dict[str, Any]:
        """Return the complete health of the service, ready to be sent as JSON. Raises StoreUnavailable."""
        checks = all_checks(self.reader, self.expected, now)
        accounts = self._accounts(now)
        return {
            "ready": all(check.ok for check in checks.values()),
            "checks": as_json(checks),
            "watchers": watchers(self.reader.heartbeats(), self.expected.beat_max_age_seconds, now),
            "accounts": accounts,
            "positions": self.reader.positions(),
            "holdings": self.reader.holdings(),
            "halts": self.reader.halts(),
            "stops": self.reader.stops(now),
            "outbox": self.reader.outbox(),
            "unknown_orders": self.reader.unknown_orders(),
            "frozen_count": self.reader.frozen_count(now - FROZEN_AFTER),
            "position_differences": self._differences(),
            "not_compared": self._not_compared(accounts, now),
        }

    def frozen(self, now: datetime) -> tuple[list[Row], int]:
        """Return the orders that have been at the broker for over an hour, oldest first, and how many there are.

        Each has its age. At most 500 are listed; the number counts all of them.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        rows = self.reader.frozen_orders(now - FROZEN_AFTER, limit=_MOST_FROZEN)
        listed = [{**row, "age_seconds": age_seconds(row["sent_to_broker_at"], now)} for row in rows]
        whole = len(rows) < _MOST_FROZEN
        return listed, len(rows) if whole else self.reader.frozen_count(now - FROZEN_AFTER)

    def positions_compared(self, now: datetime) -> dict[str, Any]:
        """Return where positions differ from our strategies' holdings, and how old that knowledge is for each client.

        `compared` is True only when all of this holds for every client:

        - the positions were read recently, and the last read did not fail
        - the positions were compared recently
        - every row of them could be read

        `not_compared` lists the other clients, each with the reason. `pass` is never True without `compared`.

        Raises:
            StoreUnavailable: the database cannot be read.
        """
        differences, accounts = self._differences(), self._accounts(now)
        missing = self._not_compared(accounts, now)
        return {
            "differences": differences,
            "accounts": accounts,
            "compared": not missing,
            "not_compared": missing,
            "pass": not missing and not differences,
        }

    def words(self, now: datetime) -> dict[str, Any]:
        """Return the values that every template gets besides its own."""
        return {
            "say": PageFormatter(self.zone, now),
            "path": request.path,
            "here": request.full_path.removesuffix("?") if request.method == "GET" else request.path,
            "me": unquote(request.cookies.get(NAME_COOKIE, ""))[:MAX_NAME],
        }

    def _accounts(self, now: datetime) -> list[Row]:
        return [
            {
                **row,
                "positions_age_seconds": age_seconds(row["positions_read_at"], now),
                "compared_age_seconds": age_seconds(row["positions_compared_at"], now),
                "recent_lows": json.loads(row.get("recent_lows") or "[]"),
                "loss_latched": json.loads(row.get("loss_latched") or "[]"),
            }
            for row in self.reader.accounts()
        ]

    def _differences(self) -> list[Row]:
        """Position differences of the configured clients. Differences of other clients are never compared again."""
        return [d for d in self.reader.position_differences() if d["client_id"] in self.expected.clients]

    def _not_compared(self, accounts: Sequence[Row], now: datetime) -> list[Row]:
        """List the clients whose positions are not known at present, each with `why`."""
        known = {row["client_id"]: row for row in accounts}
        max_age = self.expected.positions_max_age_seconds
        hidden = self.reader.unreadable_positions()
        reasons = {
            client: _not_read(known.get(client), max_age, now) or _not_known(hidden.get(client, ()))
            for client in self.expected.clients
        }
        return [{"client_id": client, "why": why} for client, why in reasons.items() if why is not None]

    def _exits_off(self) -> dict[str, str]:
        """Return the clients whose exits are not sent although they have something open, each with what is open."""
        dry = [client for client, mode in self.modes.items() if mode is TradingMode.DRY]
        found = self.reader.exposed() if dry else {}
        return {client: found[client] for client in dry if client in found}

    def _mode(self) -> TradingMode | None:
        """The most dangerous of the clients' modes."""
        present = set(self.modes.values())
        return next(
            (mode for mode in (TradingMode.LIVE, TradingMode.DRY, TradingMode.SIMULATED) if mode in present),
            None,
        )


def _not_known(rows: Sequence[UnreadableRow]) -> str | None:
    """Say for which positions a row cannot be read; None when every row can be."""
    if not rows:
        return None
    return f"a row cannot be read of {'; '.join(dict.fromkeys(map(place_of, rows)))}"


def _not_read(account: Row | None, max_age: float, now: datetime) -> str | None:
    """Say why an account's positions are not known; None when they were read and compared recently."""
    row = account or {}
    state = compared_state(account_read(row), now, timedelta(seconds=max_age))
    match state:
        case ComparedState.CURRENT:
            return None
        case ComparedState.NEVER_READ:
            return "positions were never read"
        case ComparedState.LAST_READ_FAILED:
            return f"the last read failed: {row['read_error']}"
        case ComparedState.READ_LONG_AGO:
            age = row["positions_age_seconds"]
            return f"positions were read {age:.0f} s ago, {max_age:.0f} s are allowed"
        case ComparedState.NEVER_COMPARED:
            return "positions were read, and not compared yet: the order book has to be read first"
        case ComparedState.COMPARED_LONG_AGO:
            return f"not compared since {row['positions_compared_at']}: the order book cannot be read"
