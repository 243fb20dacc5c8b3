"""Alerts under SIGKILL: many are posted while the whole service is killed again and again; then a judge looks.

`python -m tests.e2e.kills --alerts 1000 --kills 10` prints one line of figures; the test suite runs a slice of it.
The judge reads orders.db and the paper broker's own file and trusts neither the service nor its answers' bodies:
an alert counts as acknowledged when its sender saw status 200.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import requests

from tests.e2e.service import Service, alert


@dataclass
class Figures:
    """What came out; everything after `executed` must be zero."""

    alerts: int = 0
    kills: int = 0
    acknowledged: int = 0
    executed: int = 0
    failed: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    false_executed: list[str] = field(default_factory=list)
    false_failed: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """True when no promise was broken."""
        return not (
            self.lost
            or self.doubled
            or self.unfinished
            or self.false_executed
            or self.false_failed
            or self.unexplained
        )

    def __str__(self) -> str:
        return (
            f"alerts {self.alerts}, kills {self.kills}, acknowledged {self.acknowledged}, executed {self.executed}, "
            f"failed {self.failed}, acks lost {len(self.lost)}, doubled {len(self.doubled)}, "
            f"unfinished {len(self.unfinished)}, false EXECUTED {len(self.false_executed)}, "
            f"false FAILED {len(self.false_failed)}, unexplained at the broker {len(self.unexplained)}"
        )


class Poster(threading.Thread):
    """Posts its share of the alerts, each until it is answered or given up; two legs every third time."""

    def __init__(self, service: Service, signals: list[str], acknowledged: set[str], pause: float) -> None:
        super().__init__(daemon=True)
        self._service, self._signals, self._acknowledged, self._pause = service, signals, acknowledged, pause

    def run(self) -> None:
        for signal_id in self._signals:
            body = alert(symbol=f"SYM{signal_id}", signal_id=signal_id, strategy_name=f"S{signal_id}")
            if int(signal_id) % 3 == 0:
                body["legs"].append(
                    {**body["legs"][0], "tradingsymbol": f"HEDGE{signal_id}", "direction": "SELL"}
                )
            for _ in range(200):
                try:
                    if self._service.post(body).status_code == 200:
                        self._acknowledged.add(signal_id)
                        break
                except requests.RequestException:
                    pass  # killed while it answered: the sender tries again, as alert platforms do
                time.sleep(0.05)
            time.sleep(self._pause)


def run(folder: Path, *, alerts: int, kills: int, posters: int = 4, seed: int = 0) -> Figures:
    """Post, kill, restart, wait until all has ended, and judge."""
    chance = random.Random(seed)
    service = Service(folder, TELEGRAM_API_URL="http://127.0.0.1:9", WATCHER_POLL_SECONDS="0.5")
    acknowledged: set[str] = set()
    signals = [str(n) for n in range(1, alerts + 1)]
    shares = [signals[i::posters] for i in range(posters)]
    service.start()
    try:
        threads = [Poster(service, share, acknowledged, pause=0.005) for share in shares]
        for thread in threads:
            thread.start()
        for _ in range(kills):
            time.sleep(chance.uniform(0.05, 1.2))
            service.kill()
            service.start()
        for thread in threads:
            thread.join(180)
        service.all_settled(60)
    finally:
        service.kill_rest()
        service.log.close()
    return judge(service, Figures(alerts=alerts, kills=kills, acknowledged=len(acknowledged)), acknowledged)


def judge(service: Service, figures: Figures, acknowledged: set[str]) -> Figures:
    """Compare what was acknowledged, what orders.db says and what the broker has."""
    legs: dict[str, int] = {}
    at_broker = _broker_orders(service)
    ours = set()
    rows = service.rows(
        "SELECT a.signal_id, o.command_id, o.status, o.client_order_id, o.tag, a.duplicate_of FROM orders o "
        "JOIN alerts a USING (alert_id)"
    )
    for signal_id, command_id, status, client_order_id, _, duplicate_of in rows:
        if duplicate_of is not None:
            if client_order_id in at_broker:
                figures.doubled.append(command_id)
            continue
        legs[signal_id] = legs.get(signal_id, 0) + 1
        ours.add(client_order_id)
        sent = at_broker.get(client_order_id, [])
        figures.executed += status == "EXECUTED"
        figures.failed += status == "FAILED"
        if status not in ("EXECUTED", "FAILED"):
            figures.unfinished.append(command_id)
        if len(sent) > 1:
            figures.doubled.append(command_id)
        if status == "EXECUTED" and sent != ["COMPLETE"]:
            figures.false_executed.append(command_id)
        if status == "FAILED" and "COMPLETE" in sent:
            figures.false_failed.append(command_id)
    for signal_id in acknowledged:
        if legs.get(signal_id) != (2 if int(signal_id) % 3 == 0 else 1):
            figures.lost.append(signal_id)
    figures.unexplained = [id_ for id_ in at_broker if id_ not in ours]
    return figures


def _broker_orders(service: Service) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for client_order_id, status in service.broker_rows("SELECT client_order_id, status FROM orders"):
        found.setdefault(client_order_id, []).append(status)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = run(Path(folder), alerts=options.alerts, kills=options.kills, seed=options.seed)
    print(figures)
    return 0 if figures.clean else 1


if __name__ == "__main__":
    sys.exit(main())
