"""Who is heard, by whom, and how often: once, whatever dies in between."""

import pytest

from conversation.listener import ANOTHER_LISTENS
from domain.conversation import ActState
from domain.errors import StoreUnavailable
from tests.conversation.making import ANN, CHAT, STRANGER, Desk


def test_a_command_is_answered_in_its_chat(desk: Desk):
    [answer] = desk.say("/status")
    assert "default" in answer and "simulated" in answer
    assert desk.telegram.messages[-1].chat_id == str(CHAT)
    assert desk.telegram.messages[-1].payload["reply_parameters"]["message_id"] > 1000


def test_the_poll_asks_for_what_is_wanted_and_confirms_what_was_heard(desk: Desk):
    update = desk.telegram.say(CHAT, ANN, "/help", at=desk.clock.at.timestamp())
    desk.hear()
    desk.hear()
    first, second = desk.telegram.polls
    assert "offset" not in first and second["offset"] == update["update_id"] + 1
    assert first["allowed_updates"] == ["message", "callback_query"]


@pytest.mark.parametrize("words", ["/status", "/halt"])
def test_a_stranger_hears_nothing_and_is_counted(desk: Desk, words: str):
    assert desk.say(words, user=ANN, chat=STRANGER) == []
    assert desk.acts() == []
    assert "1 messages of chats that are not configured" in desk.say("/health")[0]


def test_a_flood_of_strangers_costs_one_write_and_keeps_nobody_from_being_heard(desk: Desk, monkeypatch):
    at = desk.clock.at.timestamp()
    for number in range(40):
        desk.telegram.say(STRANGER + number, ANN, "/status", at=at)
    desk.telegram.say(CHAT, ANN, "/pnl", at=at)
    for _ in range(20):
        desk.telegram.say(STRANGER, ANN, "/status", at=at)
    store = desk.listener._conversation._store
    writes, receive = [], store.receive

    def counted(*given, **named):
        writes.append(named.get("ignored", 0))
        return receive(*given, **named)

    monkeypatch.setattr(store, "receive", counted)
    [answer] = desk.hear()
    assert answer.startswith("<b>Profit and loss") and writes == [40, 0, 20]
    desk.telegram.say(STRANGER, ANN, "/status", at=at)
    assert desk.listener.listen() == 1.0  # nobody polls for strangers as fast as he can
    assert store.listening("123456").ignored == 61


def test_a_button_from_another_chat_does_nothing(desk: Desk):
    desk.say("/halt")
    payload = desk.telegram.messages[-1].payload
    data = payload["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    desk.telegram.press_data(STRANGER, ANN, data)
    assert desk.hear() == []
    assert (desk.halts(), desk.acts()) == ([], [("halt", str(ANN), "ASKED")])


def test_an_unknown_command_gets_the_help(desk: Desk):
    [answer] = desk.say("/stauts now")
    assert answer.startswith("There is no /stauts.") and "/positions" in answer and "/flatten" in answer


def test_people_in_a_group_may_talk(two: Desk):
    assert two.say("what a day", chat=-1007) == []
    assert len(two.say("what a day", chat=CHAT)) == 1  # alone with the bot: the help


def test_what_is_said_to_another_bot_of_the_group_is_not_answered(two: Desk):
    assert two.say("/halt@OtherBot", user=22, chat=-1007) == []
    assert two.acts() == []
    assert "Stop new entries" in two.say("/halt@orderwatchbot", user=22, chat=-1007)[0]


@pytest.mark.parametrize("seconds", [-600, 600])
def test_a_command_of_another_time_is_not_answered_and_the_log_says_so(desk: Desk, caplog, seconds: int):
    assert desk.say("/halt", at=desk.clock.at.timestamp() + seconds) == []
    assert desk.acts() == []
    assert "too old, or the clock is wrong" in caplog.text


def test_an_update_that_comes_again_is_answered_once(desk: Desk):
    update = desk.telegram.say(CHAT, ANN, "/status", at=desk.clock.at.timestamp())
    assert len(desk.hear()) == 1
    desk.telegram._updates = [update]
    desk.listener._channel.updates = lambda offset: [update]  # type: ignore[method-assign]
    assert desk.hear() == []


def test_numbers_that_begin_anew_after_a_week_are_heard(desk: Desk):
    desk.say("/status")
    desk.telegram._updates = []  # none is kept for longer than a day
    desk.clock.advance(7 * 86_400)
    desk.telegram._last_update = 5
    assert len(desk.say("/status")) == 1


def test_what_cannot_be_read_does_not_keep_what_follows_from_being_heard(desk: Desk):
    odd: list[dict[str, object]] = [
        {"message": {}},
        {"message": {"chat": {"id": CHAT}}},
        {"callback_query": {"id": "1"}},
        {},
    ]
    for update in odd:
        desk.telegram.bring(update)
    desk.telegram.bring({"message": {"chat": [], "message_id": "x", "date": 10**30}})
    assert len(desk.say("/status")) == 1


def test_a_defect_with_one_update_does_not_keep_what_follows_from_being_heard(desk: Desk, monkeypatch):
    answers = desk.listener._conversation._answers.commands
    monkeypatch.setitem(answers, "status", (lambda question: 1 // 0, ""))
    assert desk.say("/status") == []
    assert len(desk.say("/help")) == 1


def test_of_two_watchers_one_polls_and_the_other_takes_over(desk: Desk):
    other = desk.listens("w2")
    desk.hear()
    assert other.listen() == ANOTHER_LISTENS
    assert len(desk.telegram.polls) == 1
    desk.clock.advance(60)  # the first is dead
    assert other.listen() == 0.0
    assert desk.listener.listen() == ANOTHER_LISTENS
    other.stop()
    assert desk.listener.listen() == 0.0


def test_a_conflict_is_told_once_and_again_after_it_was_gone(desk: Desk):
    def told() -> int:
        return len(desk.maker.rows("SELECT 1 FROM telegram_messages WHERE kind = 'SYSTEM'"))

    conflict = (409, "Conflict: terminated by other getUpdates request")
    desk.telegram.poll_refusal = conflict
    assert desk.listener.listen() >= 10
    assert desk.listens("w1").listen() >= 10  # after a restart, too
    assert told() == 1
    desk.telegram.poll_refusal = None
    desk.hear()
    desk.telegram.poll_refusal = conflict
    desk.hear()
    assert told() == 2


def test_failing_polls_come_ever_more_rarely(desk: Desk):
    desk.telegram.poll_refusal = (500, "Internal Server Error")
    waits = [desk.listener.listen() for _ in range(9)]
    assert waits[:4] == [1, 2, 4, 8] and waits[-1] == 60
    desk.telegram.poll_refusal = (429, "Too Many Requests: retry after 37")
    assert desk.listener.listen() == 37
    desk.telegram.poll_refusal = (401, "Unauthorized")
    assert desk.listener.listen() == 60
    desk.telegram.poll_refusal = None
    assert desk.listener.listen() == 0.0


def test_a_bot_that_is_stopped_handles_nothing_more(desk: Desk):
    desk.listener.stop()
    assert desk.say("/status") == []
    assert desk.telegram.polls == []


def test_no_setting_no_listener(make_desk):
    assert make_desk().services.listener("w") is not None
    with pytest.raises(AssertionError):
        make_desk(TELEGRAM_COMMANDS="false")


def test_death_between_the_button_and_the_act_neither_loses_nor_repeats_it(desk: Desk, monkeypatch):
    desk.say("/halt too wild")
    acts = desk.listener._conversation._acts

    class Killed(BaseException):
        pass

    def die(act: object) -> None:
        raise Killed

    monkeypatch.setattr(acts, "carry_out", die)
    desk.telegram.press(ANN)
    with pytest.raises(Killed):
        desk.listener.listen()
    assert desk.halts() == []
    desk.clock.advance(60)
    desk.listener = desk.listens("w2")
    assert "Halted: default" in "\n".join(desk.hear())
    assert desk.halts() == [("default", "", "telegram:11", "too wild")]
    assert desk.hear() == []


def test_death_between_the_act_and_its_answer_answers_and_does_it_once(desk: Desk, monkeypatch):
    desk.say("/halt")
    store = desk.listener._conversation._store

    def fail(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(store, "finish", fail)
    desk.telegram.press(ANN)
    with pytest.raises(StoreUnavailable):
        desk.listener.listen()
    assert len(desk.halts()) == 1
    desk.listener = desk.listens("w1")
    assert "Halted" in desk.hear()[0]
    assert desk.acts() == [("halt", str(ANN), ActState.DONE)]


def test_an_act_that_was_interrupted_for_too_long_is_told_as_unknown(desk: Desk, monkeypatch):
    desk.say("/halt")

    def fail(act: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(desk.listener._conversation._acts, "carry_out", fail)
    desk.telegram.press(ANN)
    with pytest.raises(StoreUnavailable):
        desk.listener.listen()
    desk.clock.advance(180)
    desk.listener = desk.listens("w2")
    [answer] = desk.hear()
    assert "not known whether it was carried out" in answer
    assert (desk.halts(), desk.acts()) == ([], [("halt", str(ANN), "UNKNOWN")])


def test_an_answer_that_telegram_did_not_take_is_given_later(desk: Desk):
    desk.say("/halt")
    desk.telegram.break_down(times=1)
    assert desk.press() == []
    assert len(desk.halts()) == 1
    assert "Halted" in desk.hear()[0]
    assert desk.hear() == []


def test_an_answer_whose_markup_is_refused_comes_without_it(desk: Desk):
    desk.telegram.refuse(400, "Bad Request: can't parse entities: whatever")
    [answer] = desk.say("/status")
    assert "default" in answer and "<b>" not in answer


def test_an_outcome_that_no_chat_takes_is_not_told_for_ever(desk: Desk):
    desk.say("/halt")
    desk.telegram.refuse(403, "Forbidden: bot was blocked by the user", times=None)
    desk.press()
    store = desk.services.database.conversations()
    for hours in (0, 20):
        desk.clock.advance(hours * 3600)
        desk.hear()
        assert len(store.unfinished("123456")) == 1
    desk.clock.advance(5 * 3600)
    desk.hear()
    assert store.unfinished("123456") == []
