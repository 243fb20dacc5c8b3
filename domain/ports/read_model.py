"""The read model of orders.db: what pages, commands and health checks ask, each question answered in one place."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypedDict

from domain.broker_reports import UnreadableRow
from domain.states import Status
from domain.unconfigured_clients import UnconfiguredRows

Row = dict[str, Any]
"""A row as it stands in orders.db: times are ISO-8601 UTC text, money and quantities decimal text."""


class Wanted(TypedDict, total=False):
    """A filter for orders; in its texts `*` stands for anything."""

    status: Status
    symbol: str
    strategy_name: str
    client_id: str
    since: datetime  # created at or after
    until: datetime  # created before


class ReadModel(Protocol):
    """Queries on orders.db. Each raises `StoreUnavailable` when the database cannot be read."""

    def ping(self) -> None:
        """Return when the database answers."""

    def orders(
        self, wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Return matching orders, newest first, and the cursor of the next page (None on the last page).

        Raises:
            ValueError: the cursor is not a valid one.
        """

    def counts(self, wanted: Wanted) -> dict[str, int]:
        """Count the matching orders of each status; the status in the filter is ignored."""

    def story(self, command_id: str) -> Row | None:
        """Return everything about one order; None: no such order.

        The keys: `order`, `events`, `intent`, `alert`, `messages`, `siblings`, `protections` (an entry's, or the one
        that asked for an exit, each with its `events`), `groups` (those that it is a leg of, each with its `events`),
        and `alert_messages` (those about its alert as a whole).
        """

    def strategies(self, client_id: str) -> list[str]:
        """List the strategies that have orders of the client, by name."""

    def signals(self, *, since: datetime, settled_before: datetime, side: str | None, limit: int) -> Row:
        """Return `counts` over all signals of the window, the newest `signals` and the newest `violations`."""

    def protections(self, *, client_id: str | None, open_only: bool, limit: int) -> list[Row]:
        """List protections, the newest first."""

    def groups(self, *, client_id: str | None, open_only: bool, limit: int) -> list[Row]:
        """List groups of legs, the newest first, each with its `legs` (command ids) and its `events`."""

    def protection(self, protection_id: str) -> Row | None:
        """Return one protection with its `events`; None: no such one."""

    def heartbeats(self) -> list[Row]: ...

    def exposed(self) -> dict[str, str]: ...

    def accounts(self) -> list[Row]: ...

    def halts(self) -> list[Row]: ...

    def stops(self, now: datetime) -> list[Row]:
        """List what stops entries at that time beside halts, without what was seen once only.

        The keys: `client_id`, `strategy_name` (empty: all), `rule`, `since`, `until`, `detail`, `set_by`.
        """

    def positions(self) -> list[Row]: ...

    def unreadable_positions(self) -> Mapping[str, Sequence[UnreadableRow]]:
        """Return, by client, the rows of its last positions read that could not be parsed."""

    def holdings(self) -> list[Row]: ...

    def unconfigured(self, configured: Collection[str], served_since: datetime) -> list[UnconfiguredRows]:
        """Return what clients have open that are not configured.

        A client for which a watcher has given a heartbeat since `served_since` is left out.
        """

    def unknown_orders(self) -> list[Row]: ...

    def frozen_orders(self, sent_before: datetime, *, limit: int = 500) -> list[Row]:
        """List orders that have been SENT_TO_BROKER since before `sent_before`, oldest first.

        Each row has `sent_to_broker_at` and `why`.
        """

    def frozen_count(self, sent_before: datetime) -> int:
        """Count all orders that have been SENT_TO_BROKER since before `sent_before`."""

    def position_differences(self) -> list[Row]:
        """List the positions whose difference from our strategies' holdings was notified and still stands."""

    def failed_exits(self) -> list[Row]:
        """List the last exit of what is still held, where it failed, each with what is `still_held`."""

    def incomplete_alerts(self, since: datetime) -> list[Row]:
        """List entries created since then that came to nothing while another leg of their alert is held."""

    def lost_protections(self) -> list[Row]:
        """List protections that ended without an exit of what is still held, each with what is `still_held`."""

    def find_orders(self, text: str) -> list[Row]:
        """List the orders that an id means: ours, the alert's, whole or its end, or the broker's; the newest 20."""

    def alerts(
        self, *, rejected_only: bool, limit: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Return deliveries, newest first, each with its `orders`, and the cursor of the next page (None: the last).

        Raises:
            ValueError: the cursor is not a valid one.
        """

    def alert_counts(self, since: datetime) -> Row:
        """Count the deliveries since then: `alerts`, and `rejected` among them."""

    def outbox(self) -> Row:
        """Return `pending`, the number of waiting messages, and `oldest`, the time of the oldest (None: none)."""
