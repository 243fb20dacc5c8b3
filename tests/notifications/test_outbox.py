"""Draining: in order, by one at a time, at the channel's pace, and never giving up."""

import logging
import time
from datetime import timedelta
from itertools import pairwise

import pytest

from domain.ports import SendFailed
from notifications.outbox import LEASE, OutboxDrainer
from notifications.telegram import TelegramSender
from tests.notifications.fake_telegram import FakeTelegram
from tests.notifications.fakes import MemoryOutbox, ScriptedSender, VirtualClock

ME = {"default": "1"}


class House:
    """An outbox, a channel, a clock, and drainers of them."""

    def __init__(self):
        self.clock = VirtualClock()
        self.outbox = MemoryOutbox()
        self.sender = ScriptedSender(self.clock)

    def drainer(self, chat_of=ME, holder="one"):
        return OutboxDrainer(
            self.outbox, self.sender, chat_of, self.clock, holder, monotonic=self.clock.monotonic
        )

    def pass_once(self, drainer):
        wait = drainer.drain(self.clock.now())
        assert wait >= 0
        return wait

    def run(self, *drainers, seconds):
        """Call each drainer whenever it wants to be called, for so long."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() <= end:
            wait = min(self.pass_once(drainer) for drainer in drainers)
            self.clock.pass_(max(wait, 0.001))

    def times(self):
        return [at for at, _, _ in self.sender.sent]


@pytest.fixture
def house():
    return House()


def test_in_order_and_one_a_second(house):
    for number in range(5):
        house.outbox.add(f"message {number}")
    house.run(house.drainer(), seconds=10)
    assert house.sender.texts() == [f"message {number}" for number in range(5)]
    assert house.times() == pytest.approx([1000, 1001, 1002, 1003, 1004], abs=0.01)
    assert house.outbox.sent_as == {1: "1", 2: "2", 3: "3", 4: "4", 5: "5"}


def test_an_empty_outbox_costs_no_lease(house):
    assert house.pass_once(house.drainer()) == 1.0
    assert not house.outbox.leases


def test_calling_early_is_harmless_and_a_new_message_need_not_wait_for_the_poll(house):
    drainer = house.drainer()
    house.pass_once(drainer)
    house.outbox.add("now")
    house.pass_once(drainer)
    house.outbox.add("not yet")
    for _ in range(9):
        house.clock.pass_(0.1)
        house.pass_once(drainer)
    assert house.sender.texts() == ["now"]
    house.clock.pass_(0.11)
    house.pass_once(drainer)
    assert house.sender.texts() == ["now", "not yet"]


def test_all_chats_together_stay_below_thirty_a_second(house):
    chat_of = {f"client{n}": str(n) for n in range(100)}
    for client in chat_of:
        for number in range(3):
            house.outbox.add(f"{number}", client_id=client)
    house.run(house.drainer(chat_of), seconds=15)
    times = house.times()
    assert len(times) == 300
    assert all(later - earlier >= 0.999 for earlier, later in zip(times, times[30:], strict=False))
    first_of_each = {chat for _, chat, _ in house.sender.sent[:100]}
    assert len(first_of_each) == 100, "who waited longest comes first"


def test_a_group_gets_at_most_twenty_a_minute(house):
    drainer = house.drainer({"default": "-100123"})
    house.sender.on_send = lambda: house.outbox.add("another")  # never empty
    house.outbox.add("first")
    house.run(drainer, seconds=300)
    times = house.times()
    assert times[7] - times[0] < 8, "a burst is not held back"
    assert all(later - earlier >= 59.9 for earlier, later in zip(times, times[20:], strict=False))


def test_clients_that_share_a_chat_share_its_order(house):
    for number in range(4):
        house.outbox.add(f"{number}", client_id=f"client{number % 2}")
    house.run(house.drainer({"client0": "1", "client1": "1"}), seconds=5)
    assert house.sender.texts() == ["0", "1", "2", "3"]


def test_a_client_without_a_chat_is_left_alone(house):
    house.outbox.add("not ours", client_id="silent")
    house.outbox.add("ours")
    house.run(house.drainer(), seconds=3)
    assert house.sender.texts() == ["ours"]
    assert house.outbox.waiting() == [1]


def test_without_any_chat_nothing_happens(house):
    assert house.pass_once(house.drainer({})) == 1.0


def test_only_one_of_several_sends_to_a_chat(house):
    for number in range(5):
        house.outbox.add(f"{number}")
    house.run(house.drainer(holder="one"), house.drainer(holder="two"), seconds=8)
    assert house.sender.texts() == ["0", "1", "2", "3", "4"]
    assert {holder for holder, _ in house.outbox.leases.values()} == {"one"}


def test_a_killed_holder_is_followed_when_its_lease_runs_out(house):
    house.outbox.add("first")
    house.pass_once(house.drainer(holder="killed"))
    house.outbox.add("second")
    follower = house.drainer(holder="follower")
    house.run(follower, seconds=LEASE.total_seconds() - 1)
    assert house.sender.texts() == ["first"]
    house.run(follower, seconds=3)
    assert house.sender.texts() == ["first", "second"]


def test_a_holder_that_is_known_to_have_ended_is_followed_at_once_and_a_living_one_is_not(house):
    for chat in ("killed's", "living's"):
        house.outbox.add("first", client_id=chat)
    for holder in ("killed", "living"):
        house.pass_once(house.drainer({f"{holder}'s": holder}, holder=holder))
    chats = {"killed's": "killed", "living's": "living"}
    follower = house.drainer(chats, holder="follower")
    follower.release_of(["killed"])
    for client_id in chats:
        house.outbox.add(f"second of {client_id}", client_id=client_id)
    house.run(follower, seconds=2)
    assert house.sender.texts() == ["first", "first", "second of killed's"]


def test_an_orderly_end_hands_over_at_once(house):
    house.outbox.add("first")
    ending = house.drainer(holder="ending")
    house.pass_once(ending)
    ending.release()
    house.outbox.add("second")
    house.run(house.drainer(holder="next"), seconds=2)
    assert house.sender.texts() == ["first", "second"]


def test_the_lease_is_renewed_at_each_send(house):
    drainer = house.drainer()
    for _ in range(5):
        house.outbox.add("again")
        house.pass_once(drainer)
        house.clock.pass_(20)
        assert not house.outbox.lease("outbox:1", "other", house.clock.now(), timedelta(seconds=1))


def test_a_restart_goes_on_where_the_last_one_stopped(house):
    for number in range(4):
        house.outbox.add(f"{number}")
    house.run(house.drainer(), seconds=1.5)
    house.run(house.drainer(), seconds=5)
    assert house.sender.texts() == ["0", "1", "2", "3"]


def test_what_the_channel_asks_for_is_waited_and_only_there(house):
    busy = [SendFailed("429", retry_after=17.0)]
    house.sender.fail = lambda chat, text: busy.pop() if busy and chat == "1" else None
    house.outbox.add("slow")
    house.outbox.add("fast", client_id="other")
    house.run(house.drainer({"default": "1", "other": "2"}), seconds=20)
    assert [(chat, at - 1000) for at, chat, _ in house.sender.sent] == [
        ("2", pytest.approx(0, abs=0.1)),
        ("1", pytest.approx(17, abs=0.1)),
    ]


def test_failure_is_retried_ever_more_slowly_until_it_is_delivered(house, caplog):
    caplog.set_level(logging.INFO)
    house.sender.fail = lambda chat, text: SendFailed("Telegram answered 502: Bad Gateway")
    house.outbox.add("SECRET-TEXT")
    drainer = house.drainer()
    house.run(drainer, seconds=400)
    at = [at for at, _ in house.sender.attempts]
    pauses = [later - earlier for earlier, later in pairwise(at)]
    assert pauses[:8] == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60], abs=0.01)
    assert house.outbox.messages[1].attempts == len(at)
    assert house.outbox.errors[1] == "Telegram answered 502: Bad Gateway"

    house.sender.fail = lambda chat, text: None
    house.run(drainer, seconds=61)
    assert house.outbox.waiting() == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "SECRET-TEXT" not in caplog.text


def test_a_failing_chat_keeps_its_order(house):
    trouble = [SendFailed("500"), SendFailed("500")]
    house.sender.fail = lambda chat, text: trouble.pop() if trouble else None
    for number in range(3):
        house.outbox.add(f"{number}")
    house.run(house.drainer(), seconds=10)
    assert house.sender.texts() == ["0", "1", "2"]


def test_a_message_that_is_refused_for_good_ends_alone(house):
    house.sender.fail = lambda chat, text: SendFailed("too long", permanent=True) if text == "bad" else None
    for text in ("good", "bad", "better"):
        house.outbox.add(text)
    house.run(house.drainer(), seconds=5)
    assert house.sender.texts() == ["good", "better"]
    assert house.outbox.status == {1: "SENT", 2: "FAILED", 3: "SENT"}


def test_a_fold_that_is_refused_for_good_is_sent_singly(house):
    def fail(chat, text):
        return SendFailed("no", permanent=True) if text.startswith("📬") or text == "message 3" else None

    house.sender.fail = fail
    for number in range(10):
        house.outbox.add(f"message {number}")
    house.run(house.drainer(), seconds=15)
    assert house.sender.texts() == [f"message {number}" for number in range(10) if number != 3]
    assert [id_ for id_, status in house.outbox.status.items() if status == "FAILED"] == [4]


def test_ten_thousand_drain_in_a_few_sends(house):
    for number in range(10_000):
        house.outbox.add(f"❌ Trading is halted | SYM{number % 500}\n<code>{number}</code>", kind="BLOCKED")
    began = time.perf_counter()
    house.run(house.drainer(), seconds=30)
    assert house.outbox.waiting() == []
    assert len(house.sender.sent) <= 12
    assert time.perf_counter() - began < 5


def test_a_mark_that_could_not_be_made_does_not_deliver_twice(house):
    def broken():
        raise RuntimeError("database is locked")

    drainer = house.drainer()
    house.outbox.add("once")
    house.outbox.before_marking = broken
    for _ in range(3):
        with pytest.raises(RuntimeError):
            house.pass_once(drainer)
        house.clock.pass_(2)
    house.outbox.before_marking = lambda: None
    house.run(drainer, seconds=5)
    assert house.sender.texts() == ["once"]
    assert house.outbox.status == {1: "SENT"}


def test_a_crash_between_send_and_mark_delivers_again_and_loses_nothing(house):
    def crash():
        raise KeyboardInterrupt

    house.outbox.add("at least once")
    house.outbox.before_marking = crash
    with pytest.raises(KeyboardInterrupt):
        house.pass_once(house.drainer(holder="killed"))
    house.outbox.before_marking = lambda: None
    house.clock.pass_(LEASE.total_seconds() + 1)
    house.run(house.drainer(holder="next"), seconds=3)
    assert house.sender.texts() == ["at least once", "at least once"]
    assert house.outbox.status == {1: "SENT"}


def test_over_the_wire_through_every_kind_of_trouble(house):
    for number in range(40):
        house.outbox.add(f"✅ Order placed | {number}\n<code>{number}</code>")
    with FakeTelegram() as telegram:
        house.sender = TelegramSender(telegram.token, telegram.url, timeouts=(0.5, 0.1))
        drainer = house.drainer()
        for trouble in (telegram.hang, telegram.drop, telegram.answer_garbage, telegram.break_down):
            trouble(times=2)
        telegram.too_many(5)
        telegram.refuse(403, "Forbidden: bot was blocked by the user")
        house.run(drainer, seconds=400)
        [received] = telegram.messages
        assert received.text.startswith("📬 40 messages")
        assert house.outbox.waiting() == []
