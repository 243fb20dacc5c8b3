"""Does a Telegram that hangs cost orders anything? Alerts at a steady rate, with Telegram up and down in turn.

`python -m tests.e2e.telegram_down --seconds 60 --rounds 3` prints the ack's and the commit-to-broker latency of both
and their ratios, then whether every message was delivered in the end. Rounds alternate, so that a machine that slows
down does so for both. Nothing here asserts a time.
"""

import argparse
import statistics
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

import requests

from tests.e2e.service import Service, alert, wait_for
from tests.notifications.fake_telegram import FakeTelegram


class Load:
    """An open loop: one alert every `1/rate` seconds, whatever the one before it took."""

    def __init__(self, service: Service, rate: float) -> None:
        self._service, self._rate = service, rate
        self._sent = 0

    def run(self, seconds: float) -> tuple[list[float], set[str]]:
        """Post for so long; the acks' milliseconds and the command ids."""
        acks: list[float] = []
        ids: set[str] = set()
        lock = threading.Lock()
        session = threading.local()

        def one(number: int) -> None:
            if not hasattr(session, "http"):
                session.http = requests.Session()
            body = alert(symbol=f"SYM{number % 20}", strategy_name=f"S{number % 20}", signal_id=str(number))
            began = time.perf_counter()
            answer = self._service.post(body, http=session.http)
            took = (time.perf_counter() - began) * 1000
            with lock:
                acks.append(took)
                ids.update(leg["command_id"] for leg in answer.json()["legs"])

        def worker(offset: int, workers: int) -> None:
            began = time.perf_counter()
            for n in range(offset, int(seconds * self._rate), workers):
                time.sleep(max(0.0, began + n / self._rate - time.perf_counter()))
                one(first + n)

        first = self._sent
        self._sent += int(seconds * self._rate)
        workers = [threading.Thread(target=worker, args=(i, 4)) for i in range(4)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
        return acks, ids


def broker_delays(service: Service, ids: set[str]) -> list[float]:
    """Milliseconds from an alert's receipt to the moment at which the broker had its order."""
    ours = dict(service.rows("SELECT client_order_id, created_at FROM orders WHERE command_id IN (SELECT value FROM "
                             "json_each(?))", "[" + ",".join(f'"{i}"' for i in ids) + "]"))  # fmt: skip
    placed = dict(service.broker_rows("SELECT client_order_id, placed_at FROM orders"))
    return [
        (datetime.fromisoformat(placed[id_]) - datetime.fromisoformat(at)).total_seconds() * 1000
        for id_, at in ours.items()
    ]


def percentile(figures: list[float], share: float) -> float:
    """The figure below which that share of them lies."""
    return sorted(figures)[min(len(figures) - 1, int(len(figures) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, FakeTelegram(token="t") as telegram:
        settings = {
            "TELEGRAM_BOT_TOKEN": "t",
            "TELEGRAM_CHAT_ID": "1",
            "TELEGRAM_API_URL": telegram.url,
            "GUARD_MAX_ENTRIES": "1000000",  # the same twenty symbols again and again
        }
        with Service(Path(folder), **settings) as service:
            measure(service, telegram, seconds=options.seconds, rounds=options.rounds, rate=options.rate)


def measure(service: Service, telegram: FakeTelegram, *, seconds: float, rounds: int, rate: float) -> None:
    load = Load(service, rate)
    load.run(3)
    figures: dict[str, dict[str, list[float]]] = {
        state: {"ack p50": [], "ack p99": [], "broker p50": [], "broker p99": []} for state in ("up", "down")
    }
    for number in range(rounds):
        # Each goes first every other time, so that neither has the longer history.
        order = ("up", "down") if number % 2 == 0 else ("down", "up")
        for state in order:
            if state == "down":
                telegram.hang(times=None)
            else:
                telegram.recover()
            acks, ids = load.run(seconds)
            service.all_settled(30)
            delays = broker_delays(service, ids)
            for name, values in (("ack", acks), ("broker", delays)):
                for label, share in (("p50", 0.5), ("p99", 0.99)):
                    figures[state][f"{name} {label}"].append(percentile(values, share))
    for name in figures["up"]:
        up, down = (statistics.median(figures[state][name]) for state in ("up", "down"))
        print(f"{name}: up {up:.2f} ms, down {down:.2f} ms, ratio {down / up:.3f}")
    telegram.recover()
    pending = "SELECT count(*) FROM telegram_messages WHERE status <> 'SENT'"
    wait_for(lambda: service.rows(pending) == [(0,)], 180, "every message to be delivered")
    count = service.rows("SELECT count(*) FROM telegram_messages WHERE status = 'SENT'")[0][0]
    print(f"messages: all {count} delivered in {len(telegram.messages)} sends")


if __name__ == "__main__":
    main()
