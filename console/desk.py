"""What every page and every answer is made from."""

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from flask import request

from console.access import Access, LoginLimit
from console.health import Expectations, age_seconds, all_checks, as_json, loop_checks, watchers
from console.parameters import BadParameter, Parameters
from console.ports import ConsoleControl, ConsoleReader, Modes, Row, TradingMode
from console.wording import Wording
from domain.ports import Clock
from domain.review import FROZEN_AFTER


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
    expected: Expectations

    def client_of(self, fields: Parameters) -> str:
        """The client that is meant; it must be named where there are several.

        Raises:
            BadParameter: it was not.
        """
        named = fields.text("client_id")
        if named is None and len(self.modes) > 1:
            raise BadParameter("client_id", f"name one of {', '.join(self.modes)}", "MISSING_PARAMETER")
        return named or next(iter(self.modes))

    def header(self, now: datetime) -> dict[str, Any]:
        """What the head of every page tells. Raises StoreUnavailable."""
        accounts = self._accounts(now)
        return {
            "checks": loop_checks(self.reader.heartbeats(), accounts, self.expected, now),
            "accounts": accounts,
            "halts": self.reader.halts(),
            "unknown": len(self.reader.unknown_orders()),
            "differences": len(self.reader.position_differences()),
            "mode": self._mode(),
        }

    def health(self, now: datetime) -> dict[str, Any]:
        """Everything about the health of the whole, ready to be answered as JSON. Raises StoreUnavailable."""
        checks = all_checks(self.reader, self.expected, now)
        return {
            "ready": all(check.ok for check in checks.values()),
            "checks": as_json(checks),
            "watchers": watchers(self.reader.heartbeats(), self.expected.beat_max_age_seconds, now),
            "accounts": self._accounts(now),
            "positions": self.reader.positions(),
            "holdings": self.reader.holdings(),
            "halts": self.reader.halts(),
            "outbox": self.reader.outbox(),
            "unknown_orders": self.reader.unknown_orders(),
            "frozen_orders": self.frozen(now),
            "position_differences": self.reader.position_differences(),
        }

    def frozen(self, now: datetime) -> list[Row]:
        """Orders at the broker for over an hour, oldest first, each with its age. Raises StoreUnavailable."""
        return [
            {**row, "age_seconds": age_seconds(row["sent_to_broker_at"], now)}
            for row in self.reader.frozen_orders(now - FROZEN_AFTER)
        ]

    def positions_compared(self, now: datetime) -> dict[str, Any]:
        """Where positions are not as our strategies hold them, and how old that knowledge is, client by client.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        differences = self.reader.position_differences()
        return {"differences": differences, "accounts": self._accounts(now), "pass": not differences}

    def words(self, now: datetime) -> dict[str, Any]:
        """What each template is given beside its own values."""
        return {"say": Wording(self.zone, now), "path": request.path}

    def _accounts(self, now: datetime) -> list[Row]:
        return [
            {**row, "positions_age_seconds": age_seconds(row["positions_read_at"], now)}
            for row in self.reader.accounts()
        ]

    def _mode(self) -> TradingMode | None:
        """The most dangerous of the clients' modes."""
        present = set(self.modes.values())
        return next(
            (mode for mode in (TradingMode.LIVE, TradingMode.DRY, TradingMode.PAPER) if mode in present), None
        )
