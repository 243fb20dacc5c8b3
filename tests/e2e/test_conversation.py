"""An operator talks to a real service through a fake Bot API."""

import time
from pathlib import Path

import pytest

from tests.e2e.service import Service, alert, wait_for
from tests.notifications.fake_telegram import FakeTelegram

CHAT, ANN = 4242, 11


@pytest.mark.gate
def test_an_operator_looks_halts_and_is_heard_again_after_a_kill(tmp_path: Path):
    with FakeTelegram(token="77:e2e") as telegram:
        service = Service(
            tmp_path,
            TELEGRAM_BOT_TOKEN=telegram.token,
            TELEGRAM_API_URL=telegram.url,
            TELEGRAM_CHAT_ID=str(CHAT),
            TELEGRAM_OPERATORS=str(ANN),
        )

        def said(words: str) -> bool:
            return any(words in each for each in telegram.texts(str(CHAT)))

        with service:
            taken = service.post(alert()).json()["legs"][0]["command_id"]
            telegram.say(CHAT, ANN, "/orders")
            wait_for(lambda: said("Latest orders"), 10, "the orders")
            assert said(taken[-10:])
            telegram.say(CHAT, ANN, "/halt e2e")
            wait_for(lambda: said("Stop new entries"), 10, "the question")
            telegram.press(ANN)
            wait_for(lambda: said("Halted: default"), 10, "the answer")
            assert service.rows("SELECT halted_by, reason FROM halts") == [("telegram:11", "e2e")]
            service.kill()
            telegram.press(ANN)
            telegram.say(CHAT, ANN, "/status")
            service.start()
            wait_for(lambda: said("by telegram:11 (e2e)"), 20, "the state, after the kill")
            assert service.rows("SELECT count(*) FROM telegram_acts") == [(1,)]
            began = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - began < 8  # nobody waits for the poll that is open
