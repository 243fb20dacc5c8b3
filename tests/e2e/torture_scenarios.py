"""Senders whose alerts contradict each other in time: exits right behind entries, turns in one instant, exits again."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tests.e2e.service import Service
from tests.e2e.torture_senders import Account, Seen, deliver, leg
from tests.e2e.workers import Worker

SYMBOLS = 60  # of each kind, at a price of 100 that the market keeps to
KINDS = ("TURN", "TURNHEDGE")
RESTS_BELOW, RESTS_ABOVE = 40, 400  # limits that only the market's excursions reach
QUANTITY = 50

Body = dict[str, Any]


class Recent:
    """The symbols that senders traded last: where hands trade too. May be shared by threads."""

    def __init__(self) -> None:
        self._symbols: deque[tuple[Account, str]] = deque(maxlen=24)

    def note(self, account: Account, symbol: str) -> None:
        """Somebody's strategy begins something there."""
        self._symbols.append((account, symbol))

    def pick(self, chance: random.Random) -> tuple[Account, str] | None:
        """One of them; None while there is none."""
        known = list(self._symbols)
        return chance.choice(known) if known else None


class Hurried(Worker):
    """One sender of one client that plays one scenario after the other, each in a symbol that is the next one."""

    def __init__(
        self, service: Service, account: Account, seen: Seen, recent: Recent, *, number: int, seed: int
    ) -> None:
        super().__init__(f"{account.client_id} in a hurry {number}")
        self._service, self._account, self._seen, self._recent = service, account, seen, recent
        self._chance = random.Random(f"{seed} {self.name}")
        self._stopping = threading.Event()
        self._signals = 0
        self._next = number * SYMBOLS // 2
        self._scenarios: tuple[Callable[[str, str], None], ...] = (
            self._exit_at_once,
            self._exit_while_the_entry_rests,
            self._exit_while_the_entry_rests,
            self._exit_in_pieces,
            self._turn,
            self._turn,
            self._two_strategies,
            self._spread_with_a_sold_leg,
            self._exits_again_and_again,
            self._stop_behind_a_target,
            self._stop_behind_a_target,
            self._exit_of_nothing,
        )

    def stop(self) -> None:
        """Begin no further scenario; pauses end."""
        self._stopping.set()

    def work(self) -> None:
        while not self._stopping.is_set():
            self._next += 1
            symbol = f"TURN{self._next % SYMBOLS}"
            self._recent.note(self._account, symbol)
            self._chance.choice(self._scenarios)(symbol, f"HURRIED{self._chance.randrange(3)}")
            self._pause(0.2, 1.0)

    # scenarios ----------------------------------------------------------------------------------------------

    def _exit_at_once(self, symbol: str, strategy: str) -> None:
        self._send(self._entry(symbol, strategy))
        self._pause(0, 0.3)
        self._send(self._exit(symbol, strategy))

    def _exit_while_the_entry_rests(self, symbol: str, strategy: str) -> None:
        """Some of it may be filled when the exit comes, and some later."""
        self._send(self._entry(symbol, strategy, price=RESTS_BELOW))
        self._pause(0.5, 4)
        self._send(self._exit(symbol, strategy))

    def _exit_in_pieces(self, symbol: str, strategy: str) -> None:
        self._send(self._entry(symbol, strategy))
        self._pause(0, 3)
        self._send(self._exit(symbol, strategy, qty=20))
        self._pause(0, 1)
        self._send(self._exit(symbol, strategy))

    def _turn(self, symbol: str, strategy: str) -> None:
        """Stop and reverse: both in one instant, in either order, or one a second behind the other."""
        side, other = self._chance.choice((("BUY", "SELL"), ("SELL", "BUY")))
        self._send(self._entry(symbol, strategy, side))
        self._pause(0.5, 6)
        both = [self._exit(symbol, strategy), self._entry(symbol, strategy, other)]
        self._chance.shuffle(both)
        self._send(*both, gap=self._chance.choice((0, 0.01, 1.0)))
        self._pause(3, 8)
        self._send(self._exit(symbol, strategy))

    def _two_strategies(self, symbol: str, strategy: str) -> None:
        """Each exits what is its own, sometimes both in one instant."""
        other = f"{strategy}B"
        self._send(self._entry(symbol, strategy), self._entry(symbol, other), gap=0.2)
        self._pause(0.5, 5)
        self._send(
            self._exit(symbol, strategy),
            self._exit(symbol, other),
            gap=self._chance.choice((0, 2.0)),
        )

    def _spread_with_a_sold_leg(self, symbol: str, strategy: str) -> None:
        hedge = symbol.replace("TURN", "TURNHEDGE")
        legs = [leg(symbol, "SELL", QUANTITY, 95), leg(hedge, "BUY", QUANTITY, 105)]
        self._chance.shuffle(legs)
        self._send(self._signed("ENTRY", strategy, *legs))
        self._pause(0.5, 5)
        self._send(self._signed("EXIT", strategy, {"tradingsymbol": symbol}, {"tradingsymbol": hedge}))

    def _exits_again_and_again(self, symbol: str, strategy: str) -> None:
        self._send(self._entry(symbol, strategy))
        self._pause(0.5, 5)
        for _ in range(3):
            self._send(self._exit(symbol, strategy))
            self._pause(0, 3)

    def _stop_behind_a_target(self, symbol: str, strategy: str) -> None:
        self._send(self._entry(symbol, strategy))
        self._pause(0.5, 4)
        self._send(self._exit(symbol, strategy, order_type="LIMIT", price=RESTS_ABOVE))
        self._pause(0.5, 4)
        self._send(self._exit(symbol, strategy))

    def _exit_of_nothing(self, symbol: str, strategy: str) -> None:
        """A strategy that never held anything there; hands and others may."""
        self._send(self._entry(symbol, strategy))
        self._pause(0, 3)
        self._send(self._exit(symbol, "NEVERHELD"))
        self._send(self._exit(symbol, strategy))

    # sending ------------------------------------------------------------------------------------------------

    def _send(self, *bodies: Body, gap: float = 0) -> None:
        """Deliver them, each so many seconds behind the one before, whether that is answered or not."""
        threads = [threading.Thread(target=self._deliver, args=(body,), daemon=True) for body in bodies]
        for number, thread in enumerate(threads):
            if number and gap:
                time.sleep(gap)
            thread.start()
        for thread in threads:
            thread.join()

    def _deliver(self, body: Mapping[str, Any]) -> None:
        deliver(self._service, self._account, body, self._seen)

    def _pause(self, least: float, most: float) -> None:
        self._stopping.wait(self._chance.uniform(least, most))

    def _entry(self, symbol: str, strategy: str, side: str = "BUY", price: float | None = None) -> Body:
        """One that fills at once, unless its price says otherwise."""
        limit = price or {"BUY": 105, "SELL": 95}[side]
        return self._signed("ENTRY", strategy, leg(symbol, side, QUANTITY, limit))

    def _exit(self, symbol: str, strategy: str, **fields: Any) -> Body:
        return self._signed("EXIT", strategy, {"tradingsymbol": symbol, **fields})

    def _signed(self, execution_type: str, strategy: str, *legs: Body) -> Body:
        self._signals += 1
        return {
            "execution_type": execution_type,
            "strategy_name": strategy,
            "exchange": "NFO",
            "signal_id": f"{self.name}-{self._signals}",
            "legs": list(legs),
        }
