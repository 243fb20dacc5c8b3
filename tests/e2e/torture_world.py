"""The world around the service: a broker at its worst, in a process of its own that is never killed, and its market."""

import contextlib
import json
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import requests

from tests.e2e.service import ROOT
from tests.e2e.torture_scenarios import KINDS, SYMBOLS, Recent
from tests.e2e.torture_senders import Account
from tests.e2e.workers import Worker

Fault = dict[str, Any]

LATE = (
    2.5  # seconds: past the client's timeout, within the time in which the broker promises to show an order
)


def user_of(account: Account) -> str:
    """Its user id at the broker."""
    return f"FA{account.client_id.upper()}"


def credentials(account: Account) -> dict[str, str]:
    """What it logs in with."""
    return {
        "password": f"password of {account.client_id}",
        "totp_secret": "JBSWY3DPEHPK3PXP",
        "vendor_code": f"{user_of(account)}_U",
        "api_secret": f"api secret of {account.client_id}",
    }


def contradictions(horizon: float) -> list[Fault]:
    """Evidence that is late or untrue: positions that are empty, behind, incomplete or wild, and orders accepted long
    after their caller hung up: within `horizon` seconds, and rarely later, when they have just been called absent.
    """
    positions = {"endpoint": "PositionBook"}
    return [
        {"kind": "late_acceptance", "probability": 0.03, "seconds": LATE, "up_to": 0.95 * horizon},
        {"kind": "late_acceptance", "probability": 0.004, "seconds": horizon + 10, "up_to": horizon + 18},
        {"kind": "empty_book", **positions, "probability": 0.01, "lasting": 8},
        {"kind": "lagging_book", **positions, "probability": 0.05, "seconds": 3, "up_to": 6, "lasting": 5},
        {"kind": "missing_row", **positions, "probability": 0.03, "lasting": 3},
        {"kind": "wild_row", **positions, "probability": 0.02},
    ]


def faults(accounts: Sequence[Account], horizon: float) -> list[Fault]:
    """Everything that the simulator can do wrong, at rates at which most orders still come through."""
    users = [user_of(account) for account in accounts]
    return [
        *contradictions(horizon),
        *_around("PlaceOrder", 0.01),
        {"kind": "late", "endpoint": "PlaceOrder", "probability": 0.02, "seconds": LATE},
        {"kind": "hang", "endpoint": "PlaceOrder", "probability": 0.003},
        {"kind": "latency", "endpoint": "PlaceOrder", "probability": 0.1, "seconds": 0.3},
        {
            "kind": "refuse",
            "endpoint": "PlaceOrder",
            "probability": 0.02,
            "emsg": "Rejected : RMS:Margin Shortfall",
        },
        {
            "kind": "refuse",
            "endpoint": "PlaceOrder",
            "probability": 0.01,
            "emsg": "Invalid Input : Invalid Trading Symbol",
            "status": 400,
        },
        {"kind": "reject_later", "probability": 0.02},
        {"kind": "cancel_after_partial_fill", "probability": 0.02},
        *(
            {"kind": "rate_limit", "endpoint": "PlaceOrder", "per_second": 7, "only": {"uid": u}}
            for u in users
        ),
        *_around("CancelOrder", 0.04),
        {"kind": "latency", "endpoint": "CancelOrder", "probability": 0.1, "seconds": 0.3},
        *_around("OrderBook", 0.01),
        {"kind": "failing_book", "probability": 0.05},
        {
            "kind": "failing_book",
            "probability": 0.01,
            "emsg": 'Error Occurred : 5 "try again"',
            "status": 400,
        },
        {"kind": "lagging_book", "probability": 0.1, "seconds": 2.5},
        {"kind": "duplicated_book", "probability": 0.1},
        {"kind": "reordered_book", "probability": 0.1},
        {"kind": "latency", "endpoint": "OrderBook", "probability": 0.05, "seconds": 0.5},
        {"kind": "late", "endpoint": "OrderBook", "probability": 0.01, "seconds": LATE},
        *_around("PositionBook", 0.01),
        {"kind": "failing_book", "endpoint": "PositionBook", "probability": 0.03},
        {"kind": "lagging_book", "endpoint": "PositionBook", "probability": 0.1, "seconds": 1.5},
        *_around("GetQuotes", 0.01),
        *_around("SearchScrip", 0.01),
        {"kind": "another_quote", "probability": 0.09},
        *_around("QuickAuth", 0.01),
        *(
            {"kind": "expired_session", "endpoint": endpoint, "only": {"uid": u}, "skip": 30, "times": 1}
            for u in users
            for endpoint in ("PlaceOrder", "OrderBook")
        ),
        {"kind": "expired_session", "endpoint": "PlaceOrder", "probability": 0.001},
        {"kind": "expired_session", "endpoint": "PositionBook", "probability": 0.001, "status": 400},
        {"kind": "lost_update", "probability": 0.1},
        {"kind": "duplicated_update", "probability": 0.1},
        {"kind": "reordered_update", "probability": 0.1},
        {"kind": "cut_stream", "probability": 0.005},
    ]


def _around(endpoint: str, probability: float) -> list[Fault]:
    """What may befall any call before or after it is processed."""
    kinds: list[Fault] = [
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "error_5xx_before", "status": 503},
        {"kind": "error_5xx_after", "status": 504},
        {"kind": "refuse_after"},
        {"kind": "truncate"},
        {"kind": "truncate", "declared": "half"},
        {"kind": "garbage"},
    ]
    return [{**kind, "endpoint": endpoint, "probability": probability} for kind in kinds]


class World:
    """The simulated broker and its market."""

    def __init__(self, folder: Path, accounts: Sequence[Account], *, seed: int) -> None:
        self.journal = folder / "journal.jsonl"
        self._seed, self._accounts = seed, accounts
        known = folder / "accounts.json"
        known.write_text(json.dumps({user_of(each): credentials(each) for each in accounts}))
        self._log = (folder / "simulator.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "broker.simulator", "--journal", self.journal, "--accounts", known],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        where = json.loads(self._process.stdout.readline())
        self.url, self.stream = where["url"], where["stream"]

    def misbehave(self, horizon: float) -> None:
        """All faults, from now on; orders are accepted up to so many seconds late, and rarely later."""
        self.say("_faults", faults=faults(self._accounts, horizon), seed=self._seed)

    def behave(self) -> list[Fault]:
        """No faults from now on; returns those that stood, with how often each has struck."""
        stood: list[Fault] = requests.get(f"{self.url}/_faults", timeout=10).json()["faults"]
        self.say("_faults", faults=[])
        return stood

    def kept_back(self) -> int:
        """How many orders a front end has received and not yet accepted."""
        return int(requests.get(f"{self.url}/_state", timeout=30).json()["kept_back"])

    def live(self) -> list[dict[str, str]]:
        """The rows of the orders that rest."""
        orders = requests.get(f"{self.url}/_state", timeout=30).json()["orders"]
        return [row for row in orders if row["status"] in ("OPEN", "PENDING", "TRIGGER_PENDING")]

    def end_all(self) -> None:
        """The exchange closes: whatever rests expires."""
        for row in self.live():
            with contextlib.suppress(requests.HTTPError):  # its owner was faster
                self.say("_end", uid=row["uid"], norenordno=row["norenordno"], status="EXPIRED")

    def say(self, what: str, **body: Any) -> None:
        """Call one of the simulator's own endpoints."""
        requests.post(f"{self.url}/{what}", json=body, timeout=10).raise_for_status()

    def stop(self) -> None:
        """End it; the journal is complete then."""
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


class Market(Worker):
    """Moves prices, so that some of what rests is filled, in part or in whole, and ends some of it by itself."""

    def __init__(self, world: World, symbols: int, *, seed: int) -> None:
        super().__init__("market")
        self._world, self._symbols = world, symbols
        self._chance = random.Random(f"{seed} market")
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join(60)

    def work(self) -> None:
        names = [f"REST{number}" for number in range(self._symbols)]
        names += [f"{kind}{number}" for kind in KINDS for number in range(SYMBOLS)]
        for name in names:
            self._mark(name, "100", None)
        while not self._stopping.wait(self._chance.uniform(0.2, 1.0)):
            with contextlib.suppress(requests.RequestException):
                self._move()

    def _move(self) -> None:
        """Down to where entries rest or up to where targets do, for some units or for all, and back."""
        kind = self._chance.choice(("REST", *KINDS[:1]))
        name = f"{kind}{self._chance.randrange(self._symbols if kind == 'REST' else SYMBOLS)}"
        price = "39.5" if kind == "REST" else self._chance.choice(("39.5", "39.5", "400.5"))
        self._mark(name, price, self._chance.choice(("10", "50", None)))
        self._mark(name, "100", None)
        if self._chance.random() < 0.1:
            live = self._world.live()
            if live:
                row = self._chance.choice(live)
                status = self._chance.choice(("EXPIRED", "CANCELLED", "REJECTED"))
                self._world.say("_end", uid=row["uid"], norenordno=row["norenordno"], status=status)

    def _mark(self, name: str, price: str, quantity: str | None) -> None:
        self._world.say("_mark", exch="NFO", tsym=name, price=price, quantity=quantity)


class Hands(Worker):
    """People who trade in the broker's app, in the symbols that the strategies trade, and convert what is there."""

    def __init__(self, world: World, recent: Recent, *, seed: int) -> None:
        super().__init__("hands")
        self._world, self._recent = world, recent
        self._chance = random.Random(f"{seed} hands")
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join(60)

    def work(self) -> None:
        while not self._stopping.wait(self._chance.uniform(0.5, 2.0)):
            picked = self._recent.pick(self._chance)
            if picked is not None:
                with contextlib.suppress(requests.RequestException):
                    self._act(user_of(picked[0]), picked[1])

    def _act(self, uid: str, symbol: str) -> None:
        where = {"uid": uid, "exch": "NFO", "tsym": symbol}
        if self._chance.random() < 0.15:
            self._world.say("_convert", **where)
            return
        side, quantity = self._chance.choice(("BUY", "BUY", "SELL")), self._chance.choice(("10", "25", "50"))
        rests = {"BUY": "20", "SELL": "900"}[side]
        price = rests if self._chance.random() < 0.25 else None
        self._world.say("_place", **where, side=side, quantity=quantity, price=price)
