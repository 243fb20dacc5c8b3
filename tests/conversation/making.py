"""A chat with the whole program behind it: a real database, the fake Bot API over HTTP, a clock set by hand."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.container import Services
from app.settings import load_settings
from conversation.listener import Listener
from notifications.bot_api import TelegramBot
from tests.notifications.fake_telegram import FakeTelegram
from tests.persistence.making import Maker
from tests.support import ManualClock

CHAT, OTHER_CHAT, STRANGER = 4242, -1007, 6666
ANN, BEN = 11, 22
"""Ann is an operator of `default`; Ben reads in the chat of both clients, and is an operator of `second` alone."""

CLIENTS = """
[clients.default]
webhook_secret = "wwwwwwwwwwwwwwwwwwww"
telegram_operators = [11]
[clients.second]
webhook_secret = "vvvvvvvvvvvvvvvvvvvv"
telegram_operators = "22"
telegram_chat_id = -1007
"""


@dataclass
class Desk:
    """A listener, and what is around it."""

    telegram: FakeTelegram
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime.now(UTC)))

    def __post_init__(self) -> None:
        self.path = self.folder / "orders.db"
        environ = {
            "ORDERS_DB": str(self.path),
            "WEBHOOK_SECRET": "w" * 20,
            "CONSOLE_TOKEN": "a-long-console-token",
            "TELEGRAM_BOT_TOKEN": self.telegram.token,
            "TELEGRAM_API_URL": self.telegram.url,
            "TELEGRAM_CHAT_ID": str(CHAT),
            "TELEGRAM_OPERATORS": str(ANN),
            **self.environ,
        }
        self.settings = load_settings(environ, dotenv_path=None)
        self.maker = Maker(self.path)  # which makes the database too
        self.services = self._services()
        self.listener = self.listens("w1")
        self.seen = 0

    def _services(self) -> Services:
        return Services(self.settings, self.clock)  # type: ignore[arg-type]

    def listens(self, holder: str) -> Listener:
        """A listener of another process; its polls do not wait."""
        listener = self._services().listener(holder)
        assert listener is not None
        channel = TelegramBot(self.telegram.token, self.telegram.url, timeouts=(2.0, 5.0), poll_seconds=0)
        listener._channel = listener._conversation._channel = channel
        return listener

    def new(self) -> list[str]:
        """What was said to people since the last look."""
        texts = self.telegram.texts()[self.seen :]
        self.seen += len(texts)
        return texts

    def hear(self) -> list[str]:
        """One round; what was said to people in it."""
        self.listener.listen()
        return self.new()

    def say(self, words: str, user: int = ANN, chat: int = CHAT, **changes: Any) -> list[str]:
        """Somebody writes, and is heard; what was said to people then."""
        at = self.clock.at.timestamp()
        self.telegram.say(chat, user, words, at=changes.pop("at", at), **changes)
        return self.hear()

    def press(self, user: int = ANN, button: int = 0) -> list[str]:
        """Somebody presses a button of the last question."""
        self.telegram.press(user, button)
        return self.hear()

    def do(self, words: str, user: int = ANN, chat: int = CHAT) -> str:
        """An acting command and its button; the answer."""
        self.say(words, user, chat)
        return "\n".join(self.press(user))

    def halts(self) -> list[tuple[Any, ...]]:
        return self.maker.rows("SELECT client_id, strategy_name, halted_by, reason FROM halts ORDER BY 1, 2")

    def acts(self) -> list[tuple[Any, ...]]:
        return self.maker.rows("SELECT kind, user_id, state FROM telegram_acts ORDER BY asked_at")
