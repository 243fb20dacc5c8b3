"""The sender against a server that behaves, and misbehaves, as Telegram does."""

import logging

import pytest

from domain.ports import SendFailed
from notifications.telegram import TelegramSender
from tests.notifications.fake_telegram import FakeTelegram

CHAT = "4242"


@pytest.fixture
def telegram():
    with FakeTelegram() as running:
        yield running


@pytest.fixture
def sender(telegram):
    return TelegramSender(telegram.token, telegram.url, timeouts=(1.0, 0.2))


def refused(sender, text="hello"):
    with pytest.raises(SendFailed) as raised:
        sender.send(CHAT, text)
    return raised.value


def test_a_message_arrives_as_html_without_a_preview(telegram, sender):
    assert sender.send(CHAT, "<b>hello</b> 😀") == "1"
    [received] = telegram.messages
    assert received.payload == {
        "chat_id": CHAT,
        "text": "<b>hello</b> 😀",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }


def test_telegram_says_how_long_to_wait(telegram, sender):
    telegram.too_many(37)
    failure = refused(sender)
    assert failure.retry_after == 37
    assert not failure.permanent


@pytest.mark.parametrize("nonsense", ["soon", -1, 1e300, None, True])
def test_a_wait_that_is_none_is_not_believed(telegram, sender, nonsense):
    telegram.refuse(429, "Too Many Requests", parameters={"retry_after": nonsense})
    assert refused(sender).retry_after in (None, 1.0)


def test_unreadable_markup_goes_out_as_plain_text(telegram, sender):
    sender.send(CHAT, "<b>half &lt;bold&gt;")
    [received] = telegram.messages
    assert received.text == "half <bold>"
    assert "parse_mode" not in received.payload
    assert len(telegram.requests) == 2


def test_plain_text_is_tried_only_once(telegram, sender):
    telegram.refuse(400, "Bad Request: can't parse entities: whatever", times=None)
    assert not refused(sender).permanent
    assert len(telegram.requests) == 2


@pytest.mark.parametrize("text", ["", "x" * 4097])
def test_a_text_that_never_will_be_taken_is_refused_for_good(sender, text):
    assert refused(sender, text).permanent


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "Bad Request: chat not found"),
        (403, "Forbidden: bot was blocked by the user"),
        (401, "Unauthorized"),
        (404, "Not Found"),
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
    ],
)
def test_what_an_operator_can_put_right_is_not_for_good(telegram, sender, status, description):
    telegram.refuse(status, description)
    failure = refused(sender)
    assert not failure.permanent
    assert str(failure) == f"Telegram answered {status}: {description}"


def test_a_chat_that_moved_says_where_to(telegram, sender):
    telegram.refuse(400, "Bad Request: group chat was upgraded", parameters={"migrate_to_chat_id": -100123})
    assert "-100123" in str(refused(sender))


@pytest.mark.parametrize("trouble", ["hang", "drop", "answer_garbage", "deliver_and_drop"])
def test_no_answer_is_no_delivery(telegram, sender, trouble):
    getattr(telegram, trouble)()
    assert not refused(sender).permanent
    assert sender.send(CHAT, "again")


def test_nobody_there():
    assert not refused(TelegramSender("1:t", "http://127.0.0.1:9", timeouts=(0.2, 0.2))).permanent


@pytest.mark.parametrize("body", [{"ok": True}, {"ok": True, "result": True}, {"ok": False, "result": None}])
def test_an_answer_without_a_message_id_is_no_delivery(telegram, sender, body, monkeypatch):
    monkeypatch.setattr(telegram, "_judge", lambda *_: (200, body))
    assert not refused(sender).permanent


def test_a_wrong_token_is_not_for_good(telegram):
    failure = refused(TelegramSender("9:wrong", telegram.url))
    assert not failure.permanent
    assert "401" in str(failure)


@pytest.mark.parametrize("trouble", ["hang", "drop", "answer_garbage", "break_down", None])
def test_the_token_is_nowhere(telegram, sender, trouble, caplog):
    caplog.set_level(logging.DEBUG)
    if trouble is None:
        telegram.refuse(400, f"Bad Request: no such thing as /bot{telegram.token}/")
    else:
        getattr(telegram, trouble)()
    failure = refused(sender)
    sender.send(CHAT, "fine")
    assert telegram.token not in caplog.text
    assert "sendMessage" in caplog.text  # it was logged, only without the token
    chain = failure
    while chain is not None:
        assert telegram.token not in str(chain)
        chain = chain.__cause__ or chain.__context__
