"""The whole service, losing its power again and again while alerts come and the broker goes on.

`make power-loss LIVES=50 SEED=7`, or `python -m tests.e2e.power_loss.run --lives 50`, prints one line of figures; no
promise may be broken, else the evidence follows and the exit status is 1. docs/power-loss.md says what is assumed.
"""

import argparse
import contextlib
import random
import secrets
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from tests.e2e.judge import Verdict, judge
from tests.e2e.judge_evidence import Evidence, read_database, read_deliveries, read_journal
from tests.e2e.power_loss import journal
from tests.e2e.power_loss.cuts import Figures, Life, missed, try_cuts
from tests.e2e.power_loss.disk import Disk, Fate, Names, read_folder, write_folder
from tests.e2e.power_loss.journal import Shim
from tests.e2e.power_loss.promises import Arrival, TimedSeen, nanoseconds
from tests.e2e.service import ROOT, SECRET, Service, alert, wait_for
from tests.e2e.torture_senders import Account, deliver
from tests.e2e.torture_world import World, credentials, user_of
from tests.e2e.workers import Worker, run_faults

ACCOUNT = Account("default", SECRET)
HORIZON = 4.0  # seconds in which an order may still be accepted after its call
SENDERS = 4
SETTINGS = {
    "BROKER": "shoonya",
    "LIVE_TRADING": "true",
    "SHOONYA_CALLS_PER_MINUTE": "0",
    "BROKER_DEADLINE_SECONDS": "2",
    "ACCEPTANCE_HORIZON_SECONDS": str(HORIZON),
    "WATCHER_POLL_SECONDS": "0.5",
    "LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes:
        lives: how often the power goes.
        seconds: how long each life is under load, at most.
        cuts: at how many other moments of each life it is looked what would have been left.
        pause: seconds between two alerts of one sender, on average.
        to_the_end: wait until orders that never reached the broker are known to be absent.
    """

    lives: int = 3
    seconds: float = 3.0
    cuts: int = 20
    pause: float = 0.3
    to_the_end: bool = False


class Sender(Worker):
    """Posts alerts, each until it is answered; two legs every third time; now and then one a second time."""

    def __init__(self, service: Service, seen: TimedSeen, number: int, pause: float, seed: int) -> None:
        super().__init__(f"sender {number}")
        self._service, self._seen, self._number, self._pause = service, seen, number, pause
        self._chance = random.Random(f"{seed} {self.name}")
        self._is_over = False

    def stop(self) -> None:
        """Post nothing new."""
        self._is_over = True

    def work(self) -> None:
        count = self._number
        while not self._is_over:
            body = alert(symbol=f"SYM{count}", signal_id=str(count), strategy_name=f"S{count}")
            if count % 3 == 0:
                body["legs"].append({**body["legs"][0], "tradingsymbol": f"HEDGE{count}"})
            deliver(self._service, ACCOUNT, body, self._seen)
            if self._chance.random() < 0.1:
                deliver(self._service, ACCOUNT, body, self._seen)
            count += SENDERS
            time.sleep(self._chance.uniform(0, 2 * self._pause))


class DoesNotStart(Exception):
    """The service was not ready in time, on what a loss has left."""


@dataclass
class Result:
    """What came out."""

    figures: Figures
    judged: str
    seed: int
    faults: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """True when no promise was broken."""
        return not self.figures.found and not self.faults

    def __str__(self) -> str:
        return f"{self.figures}, at the end {len(self.faults)} | {self.judged} | seed {self.seed}"

    def evidence(self) -> str:
        """What was found."""
        return "\n".join([self.figures.evidence(), *self.faults[:20]])


class PowerLoss:
    """One run: lives of the service, each ended by a loss, and each but the first begun on what was left."""

    def __init__(self, folder: Path, library: Path, plan: Plan, *, seed: int, root: Path = ROOT) -> None:
        self._folder, self._library, self._plan, self._seed = folder, library, plan, seed
        self._data = folder / "data"
        self._data.mkdir()
        self._chance = random.Random(f"{seed} losses")
        self._world = World(folder, [ACCOUNT], seed=seed)
        self._seen = TimedSeen(folder / "deliveries.jsonl")
        self._service = Service(folder, **self._settings())
        self._service.root = root
        self._senders: list[Sender] = []
        self.figures = Figures()
        self._lives: list[Life] = []

    def _settings(self) -> dict[str, str]:
        account = {
            "API_URL": f"{self._world.url}/NorenWClientTP",
            "WS_URL": self._world.stream,
            "USER_ID": user_of(ACCOUNT),
            "IMEI": "power-loss",
            **{name.upper(): value for name, value in credentials(ACCOUNT).items()},
        }
        database = {"ORDERS_DB": str(self._data / "orders.db")}
        return {**SETTINGS, **database, **{f"SHOONYA_{name}": value for name, value in account.items()}}

    def run(self) -> Result:
        """Live, lose, look; then let all of it come to an end, and judge."""
        try:
            self._senders = [
                Sender(self._service, self._seen, number, self._plan.pause, self._seed)
                for number in range(1, SENDERS + 1)
            ]
            faults = self._lives_and_losses()
        finally:
            self._service.kill_rest()
            self._service.log.close()
            self._world.stop()
            self._seen.close()
        self._look()
        return self._result(faults)

    def _lives_and_losses(self) -> list[str]:
        try:
            for number in range(1, self._plan.lives + 1):
                self._live(number)
            return self._end()
        except DoesNotStart as error:
            for sender in self._senders:
                sender.stop()
            return [str(error)]

    # a life ------------------------------------------------------------------------------------------------

    def _live(self, number: int) -> None:
        """One life, and the loss that ends it."""
        start = read_folder(self._data)
        shim = Shim(self._library, self._data, self._folder / f"life{number}.journal")
        self._service.settings.update(shim.environment)
        self._start()
        if number == 1:
            for sender in self._senders:
                sender.start()
        if self._chance.random() < 0.5:  # everything is killed, and the power stays
            self._wait(shim)
            shim.mend()
            self._start()
        self._wait(shim)
        life = Life(f"life{number}", start, journal.read(shim.journal), time.time_ns())
        self._lives.append(life)
        self.figures.found += [
            f"missed by the shim: {path}" for path in missed(life, read_folder(self._data))
        ]
        self._lose(life)

    def _start(self) -> None:
        log = self._folder / "service.log"
        size = log.stat().st_size
        try:
            self._service.start()
        except AssertionError as error:
            said = log.read_text()[size:].strip()[-500:]
            raise DoesNotStart(f"after loss {self.figures.counts['losses']}: {error}; {said}") from error
        self.figures.counts["starts"] += 1

    def _wait(self, shim: Shim) -> None:
        """Under load for a while; then everything ends at one record."""
        time.sleep(self._chance.uniform(0.3, 1) * self._plan.seconds)
        shim.cut(self._chance.randint(0, 60))
        assert self._service.process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._service.process.wait(3)
        self._service.kill_rest()

    def _lose(self, life: Life) -> None:
        """Put in the folder's place what the disk may hold."""
        disk = Disk(life.start, self._chance.choice(list(Names)))
        disk.play(life.records)
        left = disk.lose(self._chance.choice(list(Fate)), self._chance)
        before = self._folder / f"{life.name}.before"
        self._data.rename(before)
        write_folder(self._data, left, self._chance)
        shutil.rmtree(before)
        self.figures.counts["losses"] += 1

    # the end -----------------------------------------------------------------------------------------------

    def _end(self) -> list[str]:
        """Start once more; all that is open ends. Returns why the run was none."""
        for name in ("LD_PRELOAD", "POWER_LOSS_FOLDER", "POWER_LOSS_JOURNAL", "POWER_LOSS_CONTROL"):
            self._service.settings.pop(name)
        for sender in self._senders:
            sender.stop()
        self._start()
        for sender in self._senders:
            sender.join(60)
        losses = self.figures.counts["losses"]
        faults = run_faults(self._senders, kills=losses, listens=self._service.is_listening())
        with contextlib.suppress(AssertionError):  # what has not ended is the judge's to name
            self._settle()
        if self._service.stop() != 0:
            faults.append("the service did not stop in order")
        done = subprocess.run(
            [sys.executable, str(self._service.root / "cli.py"), "verify"],
            env={**self._service.settings},
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return faults + ([f"cli.py verify: {done.stdout}{done.stderr}"] if done.returncode else [])

    def _settle(self) -> None:
        """Wait as long as orders still end."""
        open_before = self._open()
        while open_before:
            wait_for(lambda: self._open() != open_before, 30, "an order to end")
            open_before = self._open()

    def _open(self) -> set[str]:
        """The orders that have not ended; where the run is short, without those of which the broker never heard.

        That these are absent is proven only when it can no longer accept them, and the judge takes unknown for an end.
        """
        sql = "SELECT client_order_id, phase FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER')"
        with closing(sqlite3.connect(self._data / "orders.db", timeout=10)) as connection:
            found = connection.execute(sql).fetchall()
        if self._plan.to_the_end or not found:
            return {id_ for id_, _ in found}
        at_broker = {order.client_order_id for order in read_journal(self._world.journal)[0]}
        return {id_ for id_, phase in found if phase != "UNKNOWN" or id_ in at_broker}

    def _look(self) -> None:
        """Look at other moments of all lives."""
        orders, _ = read_journal(self._world.journal)
        arrivals = [
            Arrival(nanoseconds(order.received or order.at), order.client_order_id) for order in orders
        ]
        for life in self._lives:
            whole = replace(life, acks=self._seen.acks, arrivals=arrivals)
            try_cuts(whole, self._folder, self._plan.cuts, self._chance, self.figures)
            self.figures.counts["records"] += len(life.records)

    def _result(self, faults: Sequence[str]) -> Result:
        try:
            verdict = self._judged(faults)
        except sqlite3.Error as error:
            return Result(self.figures, "orders.db cannot be judged", self._seed, [*faults, repr(error)])
        found = [] if verdict.is_clean else verdict.evidence(most=5).splitlines()
        return Result(self.figures, str(verdict), self._seed, found)

    def _judged(self, faults: Sequence[str]) -> Verdict:
        orders, fills = read_journal(self._world.journal)
        evidence = Evidence(
            read_database(self._data / "orders.db"),
            broker_orders=orders,
            fills=fills,
            deliveries=read_deliveries(self._seen.path),
            run_faults=faults,
            horizon=timedelta(seconds=HORIZON),
        )
        # There is no channel to deliver messages, and a short run ends before what is unknown has to be told.
        left_out = ("messages undelivered",) if self._plan.to_the_end else ("messages undelivered", "untold")
        return judge(evidence, leaving_out=left_out)


def run(folder: Path, plan: Plan, *, seed: int, root: Path = ROOT) -> Result:
    """One run in an empty folder, which then holds what it left behind.

    Raises:
        NoCompiler: the shim cannot be made here.
    """
    return PowerLoss(folder, journal.compiled(folder), plan, seed=seed, root=root).run()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lives", type=int, default=20, help="how often the power goes")
    parser.add_argument(
        "--cuts", type=int, default=100, help="at how many other moments of each life to look"
    )
    parser.add_argument("--seconds", type=float, default=6, help="how long a life is under load, at most")
    parser.add_argument(
        "--seed", type=int, help="of all chance that is ours; by default another one each time"
    )
    parser.add_argument("--folder", type=Path, help="an empty one, in which everything is left behind")
    parser.add_argument("--root", type=Path, default=ROOT, help="another copy of the program to run")
    options = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="power-loss-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    plan = Plan(options.lives, options.seconds, options.cuts, to_the_end=True)
    result = run(folder, plan, seed=seed, root=options.root.resolve())
    print(result)
    if result.is_clean and options.folder is None:
        shutil.rmtree(folder)
    elif not result.is_clean:
        print(f"{result.evidence()}\nall of it is in {folder}")
    return 0 if result.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
