"""The whole service under everything at once: a broker at its worst, senders that repeat, SIGKILL at random moments.

`make torture SECONDS=600`, or `python -m tests.e2e.torture --seconds 600 --seed 7`, prints one line of figures; all
behind the bar must be zero, else the evidence is printed and the exit status is 1. docs/torture.md says how to read it.
"""

import argparse
import contextlib
import json
import secrets
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from app.container import Services, build_services
from app.settings import load_settings
from tests.e2e.judge import Verdict, judge
from tests.e2e.judge_evidence import Evidence, read_database, read_deliveries, read_journal
from tests.e2e.service import Service, wait_for
from tests.e2e.torture_chaos import BadTelegram, Killer, Loop, Operator
from tests.e2e.torture_scenarios import Hurried, Recent
from tests.e2e.torture_senders import Account, Plan, Seen, Trader
from tests.e2e.torture_world import Hands, Market, World, credentials, user_of
from tests.e2e.workers import Worker, is_back, run_faults
from tests.notifications.fake_telegram import FakeTelegram

ACCOUNTS = tuple(Account(name, f"webhook secret of {name}") for name in ("alice", "bob", "carol"))
TRADERS = 2  # for each account
SETTLE_SECONDS = 330.0  # for all that is open to end: longer than an entry lives that waits for an exit
HORIZON = 12.0  # seconds in which a late acceptance has to be reckoned with, here
REAL_HORIZON = 180.0  # and at the broker whose wire this is
SEEN_WITHIN = 6.0  # seconds in which the service looks for what it called absent, after a late acceptance

# Short enough that an unknown outcome is resolved within the run: a request may leave 2 + 4 s after its claim, and
# what is not in a complete book 3 s later never came.
SETTINGS = {
    "BROKER": "shoonya",
    "LIVE_TRADING": "true",
    "SHOONYA_CALLS_PER_MINUTE": "0",  # 100 a minute are not enough to torture anything within a few minutes
    "CLIENT_ID": ACCOUNTS[0].client_id,
    "BROKER_DEADLINE_SECONDS": "4",
    "WATCHER_POLL_SECONDS": "0.5",
    "EXIT_HOLD_SECONDS": "3",
    "LOG_LEVEL": "WARNING",
}


@dataclass
class Result:
    """What came out. `struck`: how often each kind of fault did."""

    verdict: Verdict
    kills: Counter[str]
    wishes: Counter[str]
    struck: Counter[str]
    seconds: float
    seed: int

    @property
    def is_clean(self) -> bool:
        return self.verdict.is_clean

    def __str__(self) -> str:
        done = f"kills {self.kills.total()}, faults struck {self.struck.total()}"
        return f"{done}, {self.verdict} | seconds {self.seconds:.0f}, seed {self.seed}"

    @property
    def details(self) -> str:
        """What was done to it."""
        return "\n".join(
            f"{name}: {', '.join(f'{what} {count}' for what, count in counter.most_common())}"
            for name, counter in (("kills", self.kills), ("operator", self.wishes), ("faults", self.struck))
        )


class Torture:
    """One run, from an empty folder to the evidence in it."""

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        telegram: FakeTelegram,
        plan: Plan,
        kill_every: tuple[float, float],
        horizon: float,
    ) -> None:
        self._folder, self._seed, self._telegram, self._plan = folder, seed, telegram, plan
        self._horizon = horizon
        self._world = World(folder, ACCOUNTS, seed=seed)
        self._service = Service(
            folder,
            **SETTINGS,
            ACCEPTANCE_HORIZON_SECONDS=str(horizon),
            CLIENTS_FILE=str(_clients_file(folder, self._world)),
            TELEGRAM_BOT_TOKEN=telegram.token,
            TELEGRAM_API_URL=telegram.url,
        )
        self._seen = Seen(folder / "deliveries.jsonl")
        self._killer = Killer(self._service, seed=seed, every=kill_every)
        self._operator: Operator | None = None
        self._workers: list[Worker] = []

    def run(self, seconds: float) -> Result:
        """Start, torture for so long, let it settle, stop, judge."""
        began = time.monotonic()
        self._service.start(wait=False)
        try:
            wait_for(self._service.is_listening, 30, "the service to listen")
            self._world.misbehave(self._horizon)
            self._torture(seconds)
            struck: Counter[str] = Counter()
            for fault in self._world.behave():
                struck[fault["kind"]] += fault["struck"]
            listens = is_back(self._service.is_listening, 30)
            self._settle()
            self._service.stop()
        finally:
            self._service.kill_rest()
            self._service.log.close()
            self._world.stop()
            self._seen.close()
        wishes = self._operator.wishes if self._operator is not None else Counter()
        took = time.monotonic() - began
        kills = self._killer.kills
        faults = run_faults(self._workers, kills=kills.total(), struck=struck.total(), listens=listens)
        return Result(judge(self._evidence(faults)), kills, wishes, struck, took, self._seed)

    def _torture(self, seconds: float) -> None:
        seed = self._seed
        self._operator = Operator(self._service, self._services(), ACCOUNTS, seed=seed, every=(0.3, 2.0))
        loops: list[Loop] = [
            self._killer,
            self._operator,
            BadTelegram(self._telegram, seed=seed, every=(0.5, 3.0)),
        ]
        market = Market(self._world, self._plan.symbols, seed=seed)
        traders = [
            Trader(self._service, account, self._seen, self._plan, f"{account.client_id}{n}", seed=seed)
            for account in ACCOUNTS
            for n in range(TRADERS)
        ]
        recent = Recent()
        hurried = [
            Hurried(self._service, account, self._seen, recent, number=n, seed=seed)
            for account in ACCOUNTS
            for n in range(self._plan.hurried)
        ]
        hands = Hands(self._world, recent, seed=seed)
        self._workers = [market, hands, *traders, *hurried, *loops]
        for worker in self._workers:
            worker.start()
        time.sleep(seconds)
        for loop in loops:
            loop.stop()
        senders: list[Trader | Hurried] = [*traders, *hurried]
        for sender in senders:
            sender.stop()
        for sender in senders:
            sender.join(90)
        hands.stop()
        market.stop()

    def _services(self) -> Services:
        """The same services that the processes are made of, for what no command offers."""
        return build_services(load_settings(self._service.settings, dotenv_path=None))

    def _settle(self) -> None:
        """The world behaves now, so all has to end; what does not is the judge's to name."""
        self._telegram.recover()
        waiting = "SELECT count(*) FROM telegram_messages WHERE status = 'PENDING'"
        give_up = time.monotonic() + SETTLE_SECONDS + 2 * self._horizon
        with contextlib.suppress(AssertionError):
            while time.monotonic() < give_up:
                self._world.end_all()
                with contextlib.suppress(AssertionError):
                    wait_for(lambda: not self._world.kept_back(), 3, "what a front end keeps back")
                    self._world.end_all()
                    self._service.all_settled(3)
                    self._see_what_came_last()
                    break
            wait_for(lambda: self._service.rows(waiting) == [(0,)], give_up - time.monotonic(), "messages")

    def _see_what_came_last(self) -> None:
        """What was accepted in the last moment is looked for where it had been called absent."""
        time.sleep(SEEN_WITHIN)
        self._service.all_settled(3)

    def _evidence(self, faults: Sequence[str]) -> Evidence:
        orders, fills = read_journal(self._world.journal)
        received = self._telegram.requests
        return Evidence(
            read_database(self._folder / "orders.db"),
            broker_orders=orders,
            fills=fills,
            deliveries=read_deliveries(self._seen.path),
            delivered=frozenset(str(number) for number, each in enumerate(received, 1) if each.delivered),
            run_faults=faults,
            horizon=timedelta(seconds=self._horizon),
        )


def _clients_file(folder: Path, world: World) -> Path:
    """Every account with a login of its own."""
    lines = []
    for number, account in enumerate(ACCOUNTS, 1):
        values: dict[str, object] = {
            "webhook_secret": account.secret,
            "telegram_chat_id": number,
            "shoonya_api_url": f"{world.url}/NorenWClientTP",
            "shoonya_ws_url": world.stream,
            "shoonya_user_id": user_of(account),
            "shoonya_imei": account.client_id,
            **{f"shoonya_{name}": value for name, value in credentials(account).items()},
        }
        lines += [f"[clients.{account.client_id}]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    path = folder / "clients.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def run(
    folder: Path,
    *,
    seconds: float,
    seed: int,
    plan: Plan | None = None,
    kill_every: tuple[float, float] = (1.0, 5.0),
    horizon: float = HORIZON,
) -> Result:
    """One run in an empty folder, which then holds all that it left behind.

    Args:
        kill_every: seconds between two kills, at least and at most.
        horizon: seconds, of the service and of the broker's lateness alike.
    """
    with FakeTelegram() as telegram:
        torture = Torture(
            folder,
            seed=seed,
            telegram=telegram,
            plan=plan or Plan(),
            kill_every=kill_every,
            horizon=horizon,
        )
        return torture.run(seconds)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=60, help="how long it is tortured; start and end come on top"
    )
    parser.add_argument(
        "--seed", type=int, help="of all chance that is ours; by default another one each time"
    )
    parser.add_argument("--folder", type=Path, help="an empty one, in which everything is left behind")
    parser.add_argument(
        "--real-horizon",
        action="store_true",
        help="orders are accepted up to three minutes late, as real brokers do, instead of some seconds",
    )
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    folder = options.folder or Path(tempfile.mkdtemp(prefix="torture-"))
    folder.mkdir(parents=True, exist_ok=True)
    horizon = REAL_HORIZON if options.real_horizon else HORIZON
    result = run(folder, seconds=options.seconds, seed=seed, horizon=horizon)
    print(result)
    if result.is_clean and options.folder is None:
        shutil.rmtree(folder)
    else:
        print(f"{result.details}\n{result.verdict.evidence()}\nall of it is in {folder}")
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
