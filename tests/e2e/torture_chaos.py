"""What befalls the service while it works: kills, operators, and a Telegram that fails."""

import contextlib
import os
import random
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import requests

from app.container import Services
from domain.errors import BrokerError, ConcurrentUpdate, StoreUnavailable
from tests.e2e.service import Service, children_of
from tests.e2e.torture_senders import Account
from tests.e2e.workers import Worker, is_back
from tests.notifications.fake_telegram import FakeTelegram


class Loop(Worker):
    """Does one of several things again and again, at random moments, until it is stopped."""

    def __init__(self, name: str, *, seed: int, every: tuple[float, float]) -> None:
        super().__init__(name)
        self.chance = random.Random(f"{seed} {name}")
        self._every = every
        self._stopping = threading.Event()

    def act(self) -> None:
        """One of them."""
        raise NotImplementedError

    def pause(self, seconds: float) -> bool:
        """Wait; True when it is time to end."""
        return self._stopping.wait(seconds)

    def work(self) -> None:
        while not self.pause(self.chance.uniform(*self._every)):
            self.act()

    def stop(self) -> None:
        """End after what is being done now."""
        self._stopping.set()
        self.join(60)


class Killer(Loop):
    """SIGKILL to random targets; what its supervisor does not start again, this does."""

    def __init__(
        self, service: Service, *, seed: int, every: tuple[float, float], back_within: float = 30
    ) -> None:
        super().__init__("killer", seed=seed, every=every)
        self.kills: Counter[str] = Counter()
        self._service, self._back_within = service, back_within
        self._stayed_away = 0
        self._second: subprocess.Popen[bytes] | None = None
        self._targets: tuple[tuple[str, int, Callable[[], bool]], ...] = (
            ("watcher", 5, lambda: self._kill_role("watch")),
            ("web worker", 4, self._kill_worker),
            ("web server", 1, lambda: self._kill_role("web")),
            ("supervisor", 2, self._kill_supervisor),
            ("everything", 2, self._kill_all),
            ("second watcher", 4, self._second_watcher),
        )

    def act(self) -> None:
        """Kill something; what is not there just now cannot be."""
        (target,) = self.chance.choices(self._targets, [weight for _, weight, _ in self._targets])
        with contextlib.suppress(AssertionError, ProcessLookupError):
            self.kills[target[0]] += target[2]()

    def stop(self) -> None:
        """End, and leave nothing but the service itself."""
        super().stop()
        self._kill_second()

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if self._stayed_away:
            yield (
                f"{self._stayed_away} times the service, started anew, did not listen for {self._back_within} s"
            )

    def _kill_role(self, role: str) -> bool:
        os.kill(self._service.pid_of(role), signal.SIGKILL)
        return True

    def _kill_worker(self) -> bool:
        workers = children_of(self._service.pid_of("web"))
        if not workers:
            return False
        os.kill(self.chance.choice(workers), signal.SIGKILL)
        return True

    def _kill_supervisor(self) -> bool:
        """Its children notice and begin to end; before they are done, they are killed too."""
        assert self._service.process is not None
        self._service.process.kill()
        self.pause(self.chance.uniform(0, 0.5))
        return self._kill_all()

    def _kill_all(self) -> bool:
        self._service.kill()
        self._service.start(wait=False)
        self._stayed_away += not is_back(self._service.is_listening, self._back_within)
        return True

    def _second_watcher(self) -> bool:
        """For some time two watchers compete for the same orders; the second one's end is a kill too."""
        if self._second is not None:
            return self._kill_second()
        self._second = self._service.run("order_watcher.py")
        return False

    def _kill_second(self) -> bool:
        if self._second is None:
            return False
        self._second.kill()
        self._second.wait(10)
        self._second = None
        return True


class Operator(Loop):
    """Halts, resumes and cancels, by the API, by the command line, and by the service that stands behind both."""

    def __init__(
        self,
        service: Service,
        services: Services,
        accounts: Sequence[Account],
        *,
        seed: int,
        every: tuple[float, float],
    ) -> None:
        super().__init__("operator", seed=seed, every=every)
        self.wishes: Counter[str] = Counter()
        self._service, self._services, self._accounts = service, services, accounts

    def act(self) -> None:
        wish = self.chance.choice(("halt", "cancel", "cancel", "cancel", "command line"))
        # The service may be down just now, and an order may have moved on: an operator sees that and goes on.
        with contextlib.suppress(requests.RequestException, ConcurrentUpdate, StoreUnavailable, BrokerError):
            {"halt": self._halt, "cancel": self._cancel, "command line": self._command_line}[wish]()
            self.wishes[wish] += 1

    def _halt(self) -> None:
        client = self.chance.choice(self._accounts).client_id
        strategy = self.chance.choice(("STRATEGY0", "STRATEGY1", None))
        who = {"client_id": client} | ({} if strategy is None else {"strategy_name": strategy})
        self._service.wish("halt", **who, reason="a moment, please", by="torture")
        self.pause(self.chance.uniform(0.2, 1.0))
        self._service.wish("resume", **who, by="torture")

    def _cancel(self) -> None:
        """One order that waits at the broker or for its turn. No command does this yet, so it asks the service."""
        found = self._service.rows(
            "SELECT command_id FROM orders WHERE phase IN ('WORKING', 'REGISTERED') AND execution_type = 'ENTRY' "
            "AND (symbol LIKE 'REST%' OR phase = 'REGISTERED') ORDER BY random() LIMIT 1"
        )
        if found:
            self._services.commands.cancel(found[0][0], by="torture")

    def _command_line(self) -> None:
        client = self.chance.choice(self._accounts).client_id
        for arguments in (("halt", "--reason", "by hand"), ("resume",)):
            process = self._service.run("cli.py", *arguments, "--client", client, "--strategy", "STRATEGY2")
            process.wait(30)


class BadTelegram(Loop):
    """Makes the fake Telegram fail in every way it knows, never for so long that senders back off for a minute."""

    def __init__(self, telegram: FakeTelegram, *, seed: int, every: tuple[float, float]) -> None:
        super().__init__("telegram", seed=seed, every=every)
        self._telegram = telegram

    def act(self) -> None:
        telegram = self._telegram
        self.chance.choice(
            (
                lambda: telegram.too_many(1),
                lambda: telegram.break_down(self.chance.choice((500, 502))),
                telegram.drop,
                telegram.answer_garbage,
                telegram.deliver_and_drop,
                self._hang,
            )
        )()

    def _hang(self) -> None:
        self._telegram.hang(times=None)
        self.pause(1.0)
        self._telegram.recover()
