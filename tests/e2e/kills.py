"""Alerts under SIGKILL: many are posted while the whole service is killed again and again; then a judge looks.

`python -m tests.e2e.kills --alerts 1000 --kills 10` prints one line of figures; the test suite runs a slice of it.
The broker is the paper broker, which fails never: what goes wrong is the service's own doing. `torture` has a broker
that fails in every way.
"""

import argparse
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.judge import Verdict, judge
from tests.e2e.judge_evidence import Evidence, read_database, read_deliveries, read_paper
from tests.e2e.service import Service, alert
from tests.e2e.torture_senders import Account, Seen, deliver
from tests.e2e.workers import Worker, run_faults


class Poster(Worker):
    """Posts its share of the alerts, each until it is answered or given up; two legs every third time."""

    def __init__(self, service: Service, numbers: list[int], seen: Seen, pause: float) -> None:
        super().__init__(f"sender of {numbers[:1]} and on")
        self._service, self._numbers, self._seen, self._pause = service, numbers, seen, pause

    def work(self) -> None:
        for number in self._numbers:
            body = alert(symbol=f"SYM{number}", signal_id=str(number), strategy_name=f"S{number}")
            if number % 3 == 0:
                leg = {**body["legs"][0], "tradingsymbol": f"HEDGE{number}", "direction": "SELL"}
                body["legs"].append(leg)
            deliver(self._service, Account(), body, self._seen)
            time.sleep(self._pause)


def run(folder: Path, *, alerts: int, kills: int, posters: int = 4, seed: int = 0) -> Verdict:
    """Post, kill, restart, wait until all has ended, and judge."""
    chance = random.Random(seed)
    service = Service(folder, WATCHER_POLL_SECONDS="0.5")
    seen = Seen(folder / "deliveries.jsonl")
    numbers = list(range(1, alerts + 1))
    service.start()
    try:
        threads = [Poster(service, numbers[i::posters], seen, pause=0.005) for i in range(posters)]
        for thread in threads:
            thread.start()
        killed = _kill(service, kills, chance)
        for thread in threads:
            thread.join(180)
        faults = run_faults(threads, kills=killed, listens=service.is_listening())
        if killed < kills:
            faults.append(f"the service was not ready again after kill {killed} of {kills}")
        with contextlib.suppress(AssertionError):  # what has not ended is the judge's to name
            service.all_settled(60 if service.is_listening() else 0)
    finally:
        service.kill_rest()
        service.log.close()
        seen.close()
    evidence = Evidence(
        read_database(folder / "orders.db"),
        broker_orders=read_paper(folder / "paper.db"),
        deliveries=read_deliveries(seen.path),
        run_faults=faults,
    )
    return judge(evidence, leaving_out=("messages undelivered",))  # there is no channel to deliver them


def _kill(service: Service, times: int, chance: random.Random) -> int:
    """Kill it and start it anew, so often or until it does not come back; how often it was killed."""
    for number in range(times):
        time.sleep(chance.uniform(0.05, 1.2))
        service.kill()
        try:
            service.start()
        except AssertionError:  # not ready in time
            return number + 1
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdict = run(Path(folder), alerts=options.alerts, kills=options.kills, seed=options.seed)
    print(f"kills {options.kills}, {verdict}")
    if not verdict.is_clean:
        print(verdict.evidence())
    return 0 if verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
