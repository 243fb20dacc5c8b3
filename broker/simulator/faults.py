"""Faults on demand: the kinds of faults, and the box that decides which of them strike a call.

Which calls a fault strikes:

- With `times`, the next `times` calls. With `probability`, each call with that probability. With neither, every call.
- `skip`: the first `skip` calls pass without the fault.
- `only`: it strikes only calls whose fields have these values.
- `lasting`: once it has struck a user's call, it strikes all further calls of that user in the same way for so many
  seconds.

Calls are counted in the order in which they arrive, and chance comes from one seeded source. So the same calls meet the
same faults again.
"""

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from broker.simulator.form import Data
from domain.ports import Clock

EVERY = "*"
EXPIRED = "Session Expired :  Invalid Session Key"
ENDPOINTS = frozenset(
    {
        "QuickAuth",
        "GenAcsTok",
        "Logout",
        "UserDetails",
        "PlaceOrder",
        "ModifyOrder",
        "CancelOrder",
        "OrderBook",
        "SingleOrdHist",
        "TradeBook",
        "PositionBook",
        "Holdings",
        "Limits",
        "GetQuotes",
        "SearchScrip",
    }
)


class FaultKind(StrEnum):
    """The kinds of faults.

    A call that is not processed is one that the broker never sees. If a fault strikes after a call is processed, the
    broker has done all of it.
    """

    RATE_LIMIT = "rate_limit"  # 429 for what exceeds `per_second`; not processed
    MINUTE_LIMIT = (
        "minute_limit"  # Not_Ok for what exceeds `per_minute`, refused calls counting too; not processed
    )
    EXPIRED_SESSION = "expired_session"  # the session ends, and the answer says so; not processed
    HANG = "hang"  # no answer while the fault stands, then the connection is closed; not processed
    LATE = "late"  # processed only after `seconds`, whether or not the client still waits
    # The front end keeps the order for `seconds`, then accepts it even if the client hung up. The journal has both
    # times.
    LATE_ACCEPTANCE = "late_acceptance"
    DROP_BEFORE = "drop_before"  # the connection is closed; not processed
    ERROR_5XX_BEFORE = "error_5xx_before"  # `status` and a page of a proxy; not processed
    REFUSE = "refuse"  # Not_Ok with `emsg` and `status`; not processed
    FAILING_BOOK = "failing_book"  # as `refuse`, for the order book

    REJECT_LATER = "reject_later"  # acknowledged, then REJECTED in the book with `emsg` as the reason
    CANCEL_AFTER_PARTIAL_FILL = (
        "cancel_after_partial_fill"  # `quantity` is filled (else half), the rest cancelled
    )
    LAGGING_BOOK = "lagging_book"  # the answer is the state of `seconds` ago
    OPEN_ONLY_BOOK = "open_only_book"  # closed orders are missing
    DUPLICATED_BOOK = "duplicated_book"  # every row comes twice
    REORDERED_BOOK = "reordered_book"  # the rows are shuffled
    UNREADABLE_ROW = "unreadable_row"  # quantity `value` or missing; rows of `tsym`, `norenordno`, or all
    MISSING_FILLSHARES = "missing_fillshares"  # COMPLETE rows do not say how much is filled
    STALE_TWIN = "stale_twin"  # each order's first row comes once more, after all others
    EMPTY_BOOK = "empty_book"  # "no data", whatever the book holds
    MISSING_ROW = "missing_row"  # one row is left out
    WILD_ROW = "wild_row"  # one position has a wrong quantity and profit
    ANOTHER_QUOTE = "another_quote"  # Ok, and the whole quote of another instrument

    LATENCY = "latency"  # processed at once, answered after `seconds`
    DROP_AFTER = "drop_after"  # processed, then the connection is closed without an answer
    ERROR_5XX_AFTER = "error_5xx_after"  # processed, then `status` and a page of a proxy
    REFUSE_AFTER = "refuse_after"  # processed, then Not_Ok with `emsg` and `status`
    TRUNCATE = "truncate"  # processed, then half of the answer; `declared` is the length it claims to have
    GARBAGE = "garbage"  # processed, then 200 and something that is not JSON

    LOST_UPDATE = "lost_update"  # strikes the update stream, not a call: an update is never sent
    DUPLICATED_UPDATE = "duplicated_update"  # it is sent twice
    REORDERED_UPDATE = "reordered_update"  # it is sent after the one that follows it
    CUT_STREAM = "cut_stream"  # the subscriber's connection is closed instead


OF_UPDATES = frozenset(
    {FaultKind.LOST_UPDATE, FaultKind.DUPLICATED_UPDATE, FaultKind.REORDERED_UPDATE, FaultKind.CUT_STREAM}
)
"""The kinds that strike order updates instead of calls."""

_DEFAULTS: dict[FaultKind, dict[str, Any]] = {
    FaultKind.EXPIRED_SESSION: {"status": 200, "emsg": EXPIRED},
    FaultKind.ERROR_5XX_BEFORE: {"status": 502},
    FaultKind.REFUSE: {"status": 200},
    FaultKind.FAILING_BOOK: {"endpoint": "OrderBook", "status": 200, "emsg": "Server Timeout :  "},
    FaultKind.REJECT_LATER: {"endpoint": "PlaceOrder", "emsg": "RED:Margin Shortfall"},
    FaultKind.CANCEL_AFTER_PARTIAL_FILL: {"endpoint": "PlaceOrder"},
    FaultKind.LAGGING_BOOK: {"endpoint": "OrderBook"},
    FaultKind.OPEN_ONLY_BOOK: {"endpoint": "OrderBook"},
    FaultKind.DUPLICATED_BOOK: {"endpoint": "OrderBook"},
    FaultKind.REORDERED_BOOK: {"endpoint": "OrderBook"},
    FaultKind.UNREADABLE_ROW: {"endpoint": "PositionBook"},
    FaultKind.MISSING_FILLSHARES: {"endpoint": "OrderBook"},
    FaultKind.STALE_TWIN: {"endpoint": "OrderBook"},
    FaultKind.EMPTY_BOOK: {"endpoint": "PositionBook"},
    FaultKind.MISSING_ROW: {"endpoint": "PositionBook"},
    FaultKind.WILD_ROW: {"endpoint": "PositionBook"},
    FaultKind.LATE_ACCEPTANCE: {"endpoint": "PlaceOrder"},
    FaultKind.ANOTHER_QUOTE: {"endpoint": "GetQuotes"},
    FaultKind.ERROR_5XX_AFTER: {"status": 502},
    FaultKind.REFUSE_AFTER: {"status": 200, "emsg": "Server Timeout :  "},
}
_OF_ONE_ROW = frozenset({FaultKind.MISSING_ROW, FaultKind.WILD_ROW})
_NEEDED = {
    FaultKind.RATE_LIMIT: "per_second",
    FaultKind.MINUTE_LIMIT: "per_minute",
    FaultKind.LATE: "seconds",
    FaultKind.LATE_ACCEPTANCE: "seconds",
    FaultKind.LAGGING_BOOK: "seconds",
    FaultKind.LATENCY: "seconds",
    FaultKind.REFUSE: "emsg",
}


class Fault(BaseModel):
    """One fault as requested. A kind ignores the fields that it has no use for.

    - `endpoint`: `*` means every endpoint.
    - `up_to`: each strike draws its seconds between `seconds` and `up_to`.
    - `draw`: which row of a book is meant, as a fraction of all rows. Each strike draws it where it is not given.
    - `status`: the HTTP status. 200 on a `Not_Ok` means the status of the simulator's other `Not_Ok` answers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    endpoint: str = EVERY
    times: int | None = Field(default=None, ge=1)
    probability: float | None = Field(default=None, gt=0, le=1)
    skip: int = Field(default=0, ge=0)
    only: dict[str, str] = {}
    seconds: float = Field(default=0, ge=0)
    up_to: float | None = Field(default=None, gt=0)
    lasting: float = Field(default=0, ge=0)
    draw: float | None = Field(default=None, ge=0, lt=1)
    status: int = Field(default=200, ge=200, le=599)
    emsg: str = ""
    per_second: int = Field(default=0, ge=0)
    per_minute: int = Field(default=0, ge=0)
    quantity: Decimal | None = Field(default=None, gt=0)
    declared: Literal["whole", "half"] = "whole"
    tsym: str | None = None
    norenordno: str | None = None
    value: str | None = None
    nameless: bool = False

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or raw.get("kind") not in set(FaultKind):
            return raw
        return {**_DEFAULTS.get(FaultKind(raw["kind"]), {}), **raw}

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        needed = _NEEDED.get(self.kind)
        if needed is not None and not getattr(self, needed):
            raise ValueError(f"{self.kind} needs {needed}")
        if self.endpoint != EVERY and self.endpoint not in ENDPOINTS:
            raise ValueError(f"no endpoint is called {self.endpoint}")
        if self.times is not None and self.probability is not None:
            raise ValueError("either times or probability, not both")
        if self.up_to is not None and self.up_to < self.seconds:
            raise ValueError("up_to is less than seconds")
        return self

    def drawn(self, chance: random.Random) -> "Fault":
        """Return the fault for one strike, with its random values drawn."""
        settled: dict[str, Any] = {}
        if self.up_to is not None:
            settled["seconds"] = chance.uniform(self.seconds, self.up_to)
        if self.draw is None and self.kind in _OF_ONE_ROW:
            settled["draw"] = chance.random()
        return self.model_copy(update=settled) if settled else self

    def row_of(self, rows: int) -> int:
        """Return the index of the row that is meant, out of `rows` rows."""
        return int((self.draw or 0) * rows)


class FaultPlan(BaseModel):
    """The content of `POST /_faults` and of the faults file. `keep`: add these faults to those already in force."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    faults: tuple[Fault, ...] = ()
    seed: int = 0
    keep: bool = False


class _Armed:
    """A fault in force, with the counts of the calls it has seen and struck."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.struck = 0
        self._begun = 0  # strikes; a lasting one counts once
        self._seen = 0
        self._lasting: dict[str | None, tuple[float, Fault | None]] = {}
        self._passed: deque[float] = deque()

    def strikes(self, endpoint: str, data: Data, chance: random.Random, now: float) -> Fault | None:
        """Return the fault as it strikes this call; None when it does not strike."""
        fault = self.fault
        if fault.endpoint not in (EVERY, endpoint) or any(data.get(k) != v for k, v in fault.only.items()):
            return None
        lasts_until, met = self._lasting.get(data.get("uid"), (now, None))
        if met is None or now >= lasts_until:
            met = fault.drawn(chance) if self._begins(chance, now) else None
            if met is not None and fault.lasting:
                self._lasting[data.get("uid")] = (now + fault.lasting, met)
        self.struck += met is not None
        return met

    def _begins(self, chance: random.Random, now: float) -> bool:
        fault = self.fault
        self._seen += 1
        begins = (
            self._seen > fault.skip
            and (fault.times is None or self._begun < fault.times)
            and (fault.probability is None or chance.random() < fault.probability)
            and (fault.kind is not FaultKind.RATE_LIMIT or self._exceeded(now))
            and (fault.kind is not FaultKind.MINUTE_LIMIT or self._exceeded_minute(now))
        )
        self._begun += begins
        return begins

    def _exceeded(self, now: float) -> bool:
        while self._passed and self._passed[0] <= now - 1:
            self._passed.popleft()
        if len(self._passed) >= self.fault.per_second:
            return True
        self._passed.append(now)
        return False

    def _exceeded_minute(self, now: float) -> bool:
        while self._passed and self._passed[0] <= now - 60:
            self._passed.popleft()
        self._passed.append(now)
        return len(self._passed) > self.fault.per_minute


class FaultBox:
    """The faults in force. Safe to call from several threads."""

    def __init__(self, clock: Clock, plan: FaultPlan | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._armed: list[_Armed] = []
        self._chance = random.Random(0)
        self._lifted = threading.Event()
        if plan is not None:
            self.put(plan)

    def put(self, plan: FaultPlan) -> None:
        """Put these faults in force. With `keep` they are added; otherwise they replace the present ones.

        Replacing them releases the calls that hang.
        """
        with self._lock:
            armed = [_Armed(fault) for fault in plan.faults]
            if plan.keep:
                self._armed += armed
                return
            self._armed, self._chance = armed, random.Random(plan.seed)
            self._lifted.set()
            self._lifted = threading.Event()

    def strike(self, endpoint: str, data: Data) -> tuple[Fault, ...]:
        """Return the faults that strike this call, in the order in which they were requested."""
        return self._struck(endpoint, data, lambda kind: kind not in OF_UPDATES)

    def strike_update(self, update: Data) -> frozenset[FaultKind]:
        """Return the kinds of faults that strike this order update on its way to one subscriber."""
        return frozenset(fault.kind for fault in self._struck(EVERY, update, OF_UPDATES.__contains__))

    def _struck(self, endpoint: str, data: Data, concerns: Callable[[FaultKind], bool]) -> tuple[Fault, ...]:
        with self._lock:
            now = self._clock.now().timestamp()
            standing = [armed for armed in self._armed if concerns(armed.fault.kind)]
            met = [armed.strikes(endpoint, data, self._chance, now) for armed in standing]
            return tuple(fault for fault in met if fault is not None)

    def shuffle(self, rows: list[Any]) -> None:
        """Shuffle the rows in place, by the same seeded chance."""
        with self._lock:
            self._chance.shuffle(rows)

    def lifted(self) -> threading.Event:
        """Return an event that is set when the present faults are replaced."""
        with self._lock:
            return self._lifted

    def report(self) -> Sequence[dict[str, Any]]:
        """Return the faults in force, and how often each has struck."""
        with self._lock:
            return [
                {**a.fault.model_dump(mode="json", exclude_defaults=True), "struck": a.struck}
                for a in self._armed
            ]
