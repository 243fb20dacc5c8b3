"""Alert platforms as they really are: they repeat what was not acknowledged, and sometimes what was."""

import json
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.e2e.service import SECRET, Service
from tests.e2e.workers import Worker

TRIES = 300
PAUSE = 0.1  # seconds between two tries


@dataclass(frozen=True)
class Account:
    """Whose alerts they are."""

    client_id: str = "default"
    secret: str = SECRET


class Seen:
    """What the senders did and saw, a line for each delivery; may be shared by threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._file = path.open("a", buffering=1)

    def note(self, account: Account, body: Mapping[str, Any], answer: requests.Response | None) -> None:
        """One delivery and its answer; None: none came."""
        status = None if answer is None else answer.status_code
        ids = (
            [leg["command_id"] for leg in answer.json()["legs"]]
            if answer is not None and status == 200
            else []
        )
        line = {"client_id": account.client_id, "body": body, "status": status, "command_ids": ids}
        with self._lock:
            self._file.write(json.dumps(line) + "\n")

    def close(self) -> None:
        self._file.close()


def deliver(
    service: Service, account: Account, body: Mapping[str, Any], seen: Seen, *, first_timeout: float = 10
) -> bool:
    """Post until it is answered with something that a sender takes for an answer; False when it never was.

    Args:
        first_timeout: seconds that the first try is given; a short one has the next overtake it.
    """
    for number in range(TRIES):
        answer = None
        try:
            timeout = 10 if number else first_timeout
            answer = service.post(body, secret=account.secret, timeout=timeout)
        except requests.RequestException:
            pass  # killed while it answered, or too slow
        try:
            seen.note(account, body, answer)
        except ValueError:  # half an answer: not one
            answer = None
            seen.note(account, body, None)
        if answer is not None and answer.status_code < 500 and answer.status_code != 429:
            return answer.status_code == 200
        time.sleep(PAUSE)
    return False


@dataclass
class Plan:
    """What the traders do. Probabilities are of each alert, durations in seconds."""

    symbols: int = 100  # of each client
    strategies: int = 4
    pause: float = 0.4  # between two alerts of one trader, on average
    hold: float = 6.0  # an entry is exited after so long at the earliest
    exits: float = 0.42  # of the alerts, as far as there is something to exit
    spreads: float = 0.25  # of the entries have a second leg
    resting: float = 0.06  # of the entries are limit orders far from the market
    unsigned: float = 0.1  # of the entries carry no signal_id
    again: float = 0.12  # delivered again though they were acknowledged
    impatient: float = 0.05  # repeated while the first delivery is still being served
    hurried: int = 2  # senders of each client whose alerts contradict each other in time


class Trader(Worker):
    """One sender of one client: entries and exits of several strategies in many symbols, until it is stopped."""

    def __init__(
        self, service: Service, account: Account, seen: Seen, plan: Plan, name: str, *, seed: int
    ) -> None:
        super().__init__(name)
        self._service, self._account, self._seen, self._plan = service, account, seen, plan
        self._chance = random.Random(f"{seed} {name}")
        self._stopping = threading.Event()
        self._number = 0
        self._held: deque[tuple[float, str, list[str]]] = deque()
        self._past: deque[dict[str, Any]] = deque(maxlen=50)

    def stop(self) -> None:
        """Post nothing new; what is being delivered still is."""
        self._stopping.set()

    def work(self) -> None:
        while not self._stopping.wait(self._chance.expovariate(1 / self._plan.pause)):
            self._number += 1
            body = self._exit() if self._chance.random() < self._plan.exits else None
            self._deliver(body or self._entry())
            if self._past and self._chance.random() < self._plan.again:
                self._deliver(self._chance.choice(self._past))

    def _deliver(self, body: dict[str, Any]) -> None:
        first_timeout = 0.02 if self._chance.random() < self._plan.impatient else 10.0
        deliver(self._service, self._account, body, self._seen, first_timeout=first_timeout)
        if "signal_id" in body:  # without one, the same content means the same alert for a minute only
            self._past.append(body)

    def _entry(self) -> dict[str, Any]:
        strategy, index = self._strategy(), self._chance.randrange(self._plan.symbols)
        body = {"execution_type": "ENTRY", "strategy_name": strategy, "exchange": "NFO"}
        if self._chance.random() < self._plan.resting:
            return self._signed({**body, "legs": [leg(f"REST{index}", "BUY", 50, 40)]})
        symbols = [f"SYM{index}"]
        if self._chance.random() < self._plan.spreads:
            symbols.append(f"HEDGE{index}")
        self._held.append((time.monotonic(), strategy, symbols))
        # Without a signal_id an alert is known by its content alone, so that one has prices of its own.
        unsigned = self._chance.random() < self._plan.unsigned
        at_market = not unsigned and self._chance.random() < 0.2
        # The side is mostly the symbol's own: strategies that disagree block each other.
        sides = [index + number + (self._chance.random() < 0.03) for number in range(len(symbols))]
        legs = [
            leg(symbol, ("BUY", "SELL")[side % 2], self._chance.choice((25, 50, 75)), self._price(at_market))
            for symbol, side in zip(symbols, sides, strict=True)
        ]
        return {**body, "legs": legs} if unsigned else self._signed({**body, "legs": legs})

    def _price(self, at_market: bool) -> float | None:
        return None if at_market else 100 + self._chance.randrange(20_000) / 20

    def _exit(self) -> dict[str, Any] | None:
        """Of the oldest entry that is old enough, or of nothing at all."""
        if not self._held or time.monotonic() - self._held[0][0] < self._plan.hold:
            return None
        _, strategy, symbols = self._held.popleft()
        legs: list[dict[str, Any]] = [{"tradingsymbol": symbol} for symbol in symbols]
        if self._chance.random() < 0.2:
            legs[0]["qty"] = 25
        return self._signed(
            {"execution_type": "EXIT", "strategy_name": strategy, "exchange": "NFO", "legs": legs}
        )

    def _signed(self, body: dict[str, Any]) -> dict[str, Any]:
        return {**body, "signal_id": f"{self.name}-{self._number}"}

    def _strategy(self) -> str:
        return f"STRATEGY{self._chance.randrange(self._plan.strategies)}"


def leg(symbol: str, direction: str, quantity: int, price: float | None) -> dict[str, Any]:
    """A leg at that limit, or at market."""
    return {
        "tradingsymbol": symbol,
        "direction": direction,
        "qty": quantity,
        "product_type": "MIS",
        "order_type": "MARKET" if price is None else "LIMIT",
        "price": price,
    }
