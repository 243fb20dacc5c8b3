"""What every page and every answer is made from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from flask import request

from console.access import Access, LoginLimit
from console.health import (
    HealthExpectations,
    age_seconds,
    all_checks,
    as_json,
    loop_checks,
    unconfigured,
    watchers,
)
from console.parameters import BadParameter, Parameters
from console.ports import ConsoleControl, ConsoleReader, Modes, Row, TradingMode
from console.template_filters import PageFormatter
from domain.broker_reports import UnreadableRow
from domain.errors import NotFound
from domain.ports import Clock
from domain.stale_orders import FROZEN_AFTER
from domain.unreadable_rows import place_of

_MOST_FROZEN = 500  # rows that are listed; beyond them the rest is counted


@dataclass(frozen=True, slots=True)
class Desk:
    """The console's collaborators. `zone` is what times are told in, and what days of a filter mean."""

    reader: ConsoleReader
    control: ConsoleControl
    access: Access
    limit: LoginLimit
    clock: Clock
    zone: tzinfo
    modes: Modes
    expected: HealthExpectations

    def client_of(self, fields: Parameters) -> str:
        """The client that is meant; it must be named where there are several.

        Raises:
            BadParameter: it was not.
            NotFound: there is no such client.
        """
        named = fields.name("client_id")
        if named is not None and named not in self.modes:
            raise NotFound(f"no client {named!r}; there is {', '.join(self.modes)}")
        if named is None and len(self.modes) > 1:
            raise BadParameter("client_id", f"name one of {', '.join(self.modes)}", "MISSING_PARAMETER")
        return named or next(iter(self.modes))

    def header(self, now: datetime) -> dict[str, Any]:
        """What the head of every page tells. Raises StoreUnavailable."""
        accounts = self._accounts(now)
        return {
            "checks": loop_checks(
                self.reader.heartbeats(), accounts, self.reader.unreadable_positions(), self.expected, now
            ),
            "accounts": accounts,
            "halts": self.reader.halts(),
            "unknown": len(self.reader.unknown_orders()),
            "differences": len(self._differences()),
            "mode": self._mode(),
            "exits_off": self._exits_off(),
            "unconfigured": unconfigured(self.reader, self.expected, now),
        }

    def health(self, now: datetime) -> dict[str, Any]:
        """Everything about the health of the whole, ready to be answered as JSON. Raises StoreUnavailable."""
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
            "outbox": self.reader.outbox(),
            "unknown_orders": self.reader.unknown_orders(),
            "frozen_count": self.reader.frozen_count(now - FROZEN_AFTER),
            "position_differences": self._differences(),
            "not_compared": self._not_compared(accounts),
        }

    def frozen(self, now: datetime) -> tuple[list[Row], int]:
        """Orders at the broker for over an hour: the oldest of them, each with its age, and how many there are.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        rows = self.reader.frozen_orders(now - FROZEN_AFTER, limit=_MOST_FROZEN)
        listed = [{**row, "age_seconds": age_seconds(row["sent_to_broker_at"], now)} for row in rows]
        whole = len(rows) < _MOST_FROZEN
        return listed, len(rows) if whole else self.reader.frozen_count(now - FROZEN_AFTER)

    def positions_compared(self, now: datetime) -> dict[str, Any]:
        """Where positions are not as our strategies hold them, and how old that knowledge is, client by client.

        `compared` is True only when the positions of every client were read a moment ago and the last read did not
        fail; `not_compared` says where not. Without it nothing has passed.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        differences, accounts = self._differences(), self._accounts(now)
        missing = self._not_compared(accounts)
        return {
            "differences": differences,
            "accounts": accounts,
            "compared": not missing,
            "not_compared": missing,
            "pass": not missing and not differences,
        }

    def words(self, now: datetime) -> dict[str, Any]:
        """What each template is given beside its own values."""
        return {"say": PageFormatter(self.zone, now), "path": request.path}

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
        """Those of the clients that are served: nobody compares for one that is configured no more."""
        return [d for d in self.reader.position_differences() if d["client_id"] in self.expected.clients]

    def _not_compared(self, accounts: Sequence[Row]) -> list[Row]:
        """The clients whose positions are not known at present, each with `why`."""
        known = {row["client_id"]: row for row in accounts}
        max_age = self.expected.positions_max_age_seconds
        hidden = self.reader.unreadable_positions()
        reasons = {
            client: _not_read(known.get(client), max_age) or _not_known(hidden.get(client, ()))
            for client in self.expected.clients
        }
        return [{"client_id": client, "why": why} for client, why in reasons.items() if why is not None]

    def _exits_off(self) -> dict[str, str]:
        """The clients whose exits are not sent while they hold something, with what it is."""
        dry = [client for client, mode in self.modes.items() if mode is TradingMode.DRY]
        found = self.reader.exposed() if dry else {}
        return {client: found[client] for client in dry if client in found}

    def _mode(self) -> TradingMode | None:
        """The most dangerous of the clients' modes."""
        present = set(self.modes.values())
        return next(
            (mode for mode in (TradingMode.LIVE, TradingMode.DRY, TradingMode.PAPER) if mode in present), None
        )


def _not_known(rows: Sequence[UnreadableRow]) -> str | None:
    """Where the rows cannot be read that would say what is held there."""
    if not rows:
        return None
    return f"a row cannot be read of {'; '.join(dict.fromkeys(map(place_of, rows)))}"


def _not_read(account: Row | None, max_age: float) -> str | None:
    """Why nothing can be said of an account's positions; None where they were read and compared a moment ago."""
    if account is None or account["positions_age_seconds"] is None:
        return "positions were never read"
    if account["read_error"] is not None:
        return f"the last read failed: {account['read_error']}"
    if abs(account["positions_age_seconds"]) > max_age:
        return (
            f"positions were read {account['positions_age_seconds']:.0f} s ago, {max_age:.0f} s are allowed"
        )
    compared = account["compared_age_seconds"]
    if compared is None:
        return "positions were read, and not compared yet: the order book has to be read first"
    if abs(compared) > max_age:
        return f"not compared since {account['positions_compared_at']}: the order book cannot be read"
    return None
