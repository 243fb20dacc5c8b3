"""A run in which nothing happened is never called clean."""

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from tests.e2e import kills, torture, torture_senders
from tests.e2e.judge import Verdict
from tests.e2e.service import Service
from tests.e2e.torture_chaos import Killer, Loop
from tests.e2e.torture_senders import Account, Seen, deliver
from tests.e2e.workers import Worker, run_faults


class Doing(Worker):
    """Waits for its word, then ends well or not."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__("the sender")
        self.word = threading.Event()
        self._fails_with = failure

    def work(self) -> None:
        self.word.wait(10)
        if self._fails_with is not None:
            raise self._fails_with


def ended(worker: Doing) -> Doing:
    worker.word.set()
    worker.start()
    worker.join(10)
    return worker


def test_a_run_that_did_what_it_says_has_no_faults():
    assert run_faults([ended(Doing())], kills=1, listens=True, struck=1) == []
    assert run_faults([ended(Doing())], kills=1, listens=True) == []  # a broker without faults


@pytest.mark.parametrize(
    ("happened", "fault"),
    [
        ({"kills": 0}, "nothing was killed"),
        ({"struck": 0}, "no fault of the broker struck"),
        ({"listens": False}, "the service does not listen at the end"),
    ],
)
def test_a_run_in_which_something_did_not_happen(happened, fault):
    all_well: dict[str, Any] = {"kills": 1, "listens": True, "struck": 1}
    assert run_faults([], **{**all_well, **happened}) == [fault]


def test_a_thread_that_died():
    (fault,) = ended(Doing(KeyError("legs"))).faults()
    assert fault == "the sender died of KeyError('legs')"


def test_a_thread_that_still_runs_or_never_did():
    worker = Doing()
    assert list(worker.faults()) == ["the sender was never started"]
    worker.start()
    assert list(worker.faults()) == ["the sender still runs"]
    worker.word.set()
    worker.join(10)
    assert list(worker.faults()) == []


def test_a_loop_that_dies_is_told_and_does_not_end_the_run():
    class Broken(Loop):
        def act(self) -> None:
            raise ValueError("as planted")

    loop = Broken("operator", seed=1, every=(0, 0))
    loop.start()
    loop.join(10)
    loop.stop()
    assert list(loop.faults()) == ["operator died of ValueError('as planted')"]


class Deaf:
    """A service that is killed and started and takes no connection any more."""

    def kill(self) -> None: ...

    def start(self, *, wait: bool) -> None: ...

    def is_listening(self) -> bool:
        return False


def test_a_service_that_does_not_listen_after_a_kill_is_told():
    killer = Killer(cast("Service", Deaf()), seed=1, every=(0, 0), back_within=0)
    killer._targets = (("everything", 1, killer._kill_all),)
    killer.act()
    assert killer.kills["everything"] == 1
    assert any("did not listen" in fault for fault in killer.faults())


def test_half_an_answer_is_noted_as_none(tmp_path, monkeypatch):
    class Half:
        def post(self, *_: object, **__: object) -> requests.Response:
            answer = requests.Response()
            answer.status_code, answer._content = 200, b'{"legs": ['
            return answer

    monkeypatch.setattr(torture_senders, "TRIES", 1)
    seen = Seen(tmp_path / "notes")
    assert not deliver(cast("Service", Half()), Account(), {}, seen)
    assert json.loads(seen.path.read_text())["status"] is None


@pytest.mark.parametrize(("found", "status"), [([], 0), (["nothing was killed"], 1)])
def test_the_exit_status_of_a_run_that_was_none(monkeypatch, tmp_path, found, status):
    counter = Counter[str]()
    result = torture.Result(Verdict({}, {"run faults": found}), counter, counter, counter, 1.0, seed=1)
    monkeypatch.setattr(torture, "run", lambda *_, **__: result)
    monkeypatch.setattr("sys.argv", ["torture", "--folder", str(tmp_path)])
    assert torture.main() == status


# with the real service --------------------------------------------------------------------------------------


def test_nothing_killed_is_not_clean(tmp_path: Path) -> None:
    verdict = kills.run(tmp_path, alerts=4, kills=0)
    assert verdict.found.pop("run faults") == ["nothing was killed"]
    assert verdict.is_clean, verdict.evidence()


@pytest.fixture
def starts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """After its first kill the service does not come back, and senders give up soon."""
    start, started = Service.start, []

    def once(service: Service, *, wait: bool = True) -> None:
        started.append(service)
        assert len(started) == 1, "as planted"
        start(service, wait=wait)

    monkeypatch.setattr(Service, "start", once)
    monkeypatch.setattr(torture_senders, "TRIES", 3)
    monkeypatch.setattr(torture_senders, "PAUSE", 0.005)


@pytest.mark.usefixtures("starts_once")
def test_a_service_that_does_not_come_back_is_not_clean(tmp_path: Path) -> None:
    verdict = kills.run(tmp_path, alerts=400, kills=2)
    assert verdict.found["never acknowledged"]
    assert "the service does not listen at the end" in verdict.found["run faults"]
    assert "the service was not ready again after kill 1 of 2" in verdict.found["run faults"]
