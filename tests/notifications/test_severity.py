"""What sounds at night: alarms always, the routine never, the rest unless the chat is muted."""

from datetime import timedelta

import pytest

from domain.errors import StoreUnavailable
from domain.message_facts import MessageFacts
from domain.notices import NoticeKind
from domain.ports import OutboxMessage
from notifications.outbox import OutboxDrainer
from notifications.severity import Severity, is_silent, severity_of
from notifications.telegram import TelegramSender
from tests.notifications.fake_telegram import FakeTelegram
from tests.notifications.fakes import START, MemoryOutbox, ScriptedSender, VirtualClock

ENTRY, EXIT = MessageFacts("t", "a", what="ENTRY"), MessageFacts("t", "a", what="EXIT")


def a_message(kind: str, facts: MessageFacts | None = ENTRY) -> OutboxMessage:
    return OutboxMessage(1, "default", kind, "words", 0, START, None, facts)


@pytest.mark.parametrize("kind", [NoticeKind.BLOCKED, NoticeKind.REJECTED, NoticeKind.FAILED])
def test_an_exit_that_came_to_nothing_is_an_alarm_and_an_entry_is_not(kind: NoticeKind):
    assert severity_of(a_message(kind, EXIT)) is Severity.ALARM
    assert severity_of(a_message(kind, ENTRY)) is Severity.NOTABLE
    assert severity_of(a_message(kind, None)) is Severity.ALARM  # which of the two it was is not known


@pytest.mark.parametrize(
    "kind",
    [
        NoticeKind.UNKNOWN,
        NoticeKind.OVERFILLED,
        NoticeKind.RESURRECTED,
        NoticeKind.FROZEN,
        NoticeKind.SYSTEM,
        NoticeKind.LOSS_LIMIT_HIT,
        NoticeKind.POSITION_DIFFERS,
        NoticeKind.PROTECTION_UNKNOWN,
        NoticeKind.UNREMEMBERED_ORDER,
        "A_KIND_OF_A_LATER_VERSION",
    ],
)
def test_what_somebody_must_look_at_is_an_alarm_whatever_is_muted(kind: str):
    assert severity_of(a_message(kind)) is Severity.ALARM
    assert not is_silent([a_message(NoticeKind.FILLED), a_message(kind)], is_muted=True)


@pytest.mark.parametrize(("kind", "sounds"), [("FILLED", False), ("HALTED", True), ("UNKNOWN", True)])
def test_the_drainer_sends_the_routine_without_a_sound(kind: str, sounds: bool):
    clock, outbox = VirtualClock(), MemoryOutbox()
    sender = ScriptedSender(clock)
    outbox.add("words", kind=kind)
    OutboxDrainer(outbox, sender, {"default": "1"}, clock, "one", monotonic=clock.monotonic).drain(
        clock.now()
    )
    assert sender.silent == [not sounds]


@pytest.mark.parametrize(
    ("until", "kind", "sounds"),
    [
        (timedelta(minutes=1), "HALTED", False),
        (timedelta(minutes=1), "UNKNOWN", True),
        (timedelta(minutes=-1), "HALTED", True),
        (None, "HALTED", True),
    ],
)
def test_a_muted_chat_hears_alarms_and_the_rest_again_when_its_time_is_over(until, kind: str, sounds: bool):
    def muted_until(chat_id):
        if until is None:
            raise StoreUnavailable("locked")
        return clock.now() + until

    clock, outbox = VirtualClock(), MemoryOutbox()
    sender = ScriptedSender(clock)
    outbox.add("words", kind=kind)
    drainer = OutboxDrainer(
        outbox, sender, {"default": "1"}, clock, "one", monotonic=clock.monotonic, muted_until=muted_until
    )
    drainer.drain(clock.now())
    assert sender.silent == [not sounds]


def test_telegram_is_asked_for_no_sound():
    with FakeTelegram() as telegram:
        sender = TelegramSender(telegram.token, telegram.url)
        sender.send("1", "routine", silent=True)
        sender.send("1", "alarm")
    routine, alarm = (each.payload for each in telegram.messages)
    assert routine["disable_notification"] is True and "disable_notification" not in alarm
