"""A Telegram to test against: a real HTTP server on 127.0.0.1, which misbehaves when told to.

It knows `sendMessage`, and what a conversation needs: `getUpdates`, `answerCallbackQuery`, `editMessageReplyMarkup`.
"""

import json
import socket
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.notifications.fakes import markup_error


@dataclass(frozen=True)
class Received:
    """A request as it came in, whatever was answered. `at` is monotonic; `delivered` says that it was taken."""

    chat_id: str
    text: str
    payload: dict[str, Any]
    at: float
    delivered: bool


@dataclass
class _Trouble:
    kind: str  # answer, hang, drop, garbage, forget
    times: int | None  # None: until `recover`
    status: int = 200
    body: dict[str, Any] | None = None


class FakeTelegram:
    """Use as a context manager; `url` is what `TELEGRAM_API_URL` shall be, `token` the only token it knows.

    It judges texts as the real one does: empty, too long, and markup that it cannot read are refused.
    """

    def __init__(self, token: str = "123456:SECRET-token") -> None:
        self.token = token
        self.requests: list[Received] = []
        self.polls: list[dict[str, Any]] = []  # what `getUpdates` was called with
        self.button_answers: list[str] = []
        self.without_buttons: list[int] = []  # messages whose buttons were removed
        self.poll_refusal: tuple[int, str] | None = None  # what `getUpdates` answers, while set
        self._updates: list[dict[str, Any]] = []
        self._last_update = 100
        self._troubles: list[_Trouble] = []
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._released = threading.Event()

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"telegram": self}))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # what tests read

    @property
    def messages(self) -> list[Received]:
        """What was delivered, in its order."""
        with self._lock:
            return [each for each in self.requests if each.delivered]

    def texts(self, chat_id: str | None = None) -> list[str]:
        return [each.text for each in self.messages if chat_id in (None, each.chat_id)]

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Received]:
        """The delivered messages once there are so many.

        Raises:
            TimeoutError: there never were.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: sum(r.delivered for r in self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} requests, fewer than {count} delivered")
        return self.messages

    # what people do

    def say(
        self, chat_id: int, user_id: int, words: str, *, at: float | None = None, **changes: Any
    ) -> dict[str, Any]:
        """A person writes in a chat; returns the update."""
        message = {
            "message_id": 1000 + self._last_update,
            "from": {"id": user_id, "is_bot": False, "first_name": "Ann"},
            "chat": {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"},
            "date": int(time.time() if at is None else at),
            "text": words,
        }
        return self.bring({"message": {**message, **changes}})

    def press(self, user_id: int, button: int = 0, *, message: int = -1) -> dict[str, Any]:
        """A person presses a button (the first of its row by default) of a delivered message (the last by default)."""
        found = [each for each in self.messages if "reply_markup" in each.payload][message]
        data = found.payload["reply_markup"]["inline_keyboard"][0][button]["callback_data"]
        assert 1 <= len(data.encode()) <= 64
        return self.press_data(int(found.chat_id), user_id, data)

    def press_data(self, chat_id: int, user_id: int, data: str) -> dict[str, Any]:
        """A button with any data, as whoever speaks to the API directly can send it."""
        chat = {"id": chat_id, "type": "private" if chat_id > 0 else "supergroup"}
        message = {"message_id": 7, "chat": chat, "date": int(time.time())}
        callback = {"id": f"c{self._last_update}", "from": {"id": user_id}, "message": message, "data": data}
        return self.bring({"callback_query": callback})

    def bring(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update under the next number."""
        with self._arrived:
            self._last_update += 1
            numbered = {"update_id": self._last_update, **update}
            self._updates.append(numbered)
            self._arrived.notify_all()
        return numbered

    def deliver_again(self, update: dict[str, Any]) -> None:
        """Give an update a second time, as if its confirmation had been lost."""
        with self._arrived:
            self._updates.append(update)
            self._arrived.notify_all()

    # what tests tell it

    def too_many(self, retry_after: int, *, times: int | None = 1) -> None:
        description = f"Too Many Requests: retry after {retry_after}"
        self.refuse(429, description, parameters={"retry_after": retry_after}, times=times)

    def refuse(
        self,
        status: int,
        description: str,
        *,
        parameters: dict[str, Any] | None = None,
        times: int | None = 1,
    ) -> None:
        body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
        if parameters is not None:
            body["parameters"] = parameters
        self._trouble(_Trouble("answer", times, status, body))

    def break_down(self, status: int = 500, *, times: int | None = 1) -> None:
        self.refuse(status, "Internal Server Error", times=times)

    def hang(self, *, times: int | None = 1) -> None:
        """Take the request and never answer (until `recover`, or the end)."""
        self._trouble(_Trouble("hang", times))

    def drop(self, *, times: int | None = 1) -> None:
        """Take the request and close the connection without an answer."""
        self._trouble(_Trouble("drop", times))

    def answer_garbage(self, *, times: int | None = 1) -> None:
        """Answer 200 with something that is not JSON."""
        self._trouble(_Trouble("garbage", times))

    def deliver_and_drop(self, *, times: int | None = 1) -> None:
        """Deliver the message, and close the connection before saying so."""
        self._trouble(_Trouble("forget", times))

    def recover(self) -> None:
        """Behave from now on; whoever hangs is let go without an answer."""
        with self._lock:
            self._troubles.clear()
            self._released.set()
            self._released = threading.Event()

    # what the handler asks

    def _other(self, token: str, method: str, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if token != self.token:
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        if method == "getUpdates":
            return self._get_updates(payload)
        if method == "getMe":
            return 200, {"ok": True, "result": {"id": 123456, "is_bot": True, "username": "OrderwatchBot"}}
        with self._lock:
            if method == "answerCallbackQuery":
                self.button_answers.append(str(payload.get("text", "")))
            else:
                self.without_buttons.append(int(payload["message_id"]))
        return 200, {"ok": True, "result": True}

    def _get_updates(self, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._arrived:
            self.polls.append(payload)
            if self.poll_refusal is not None:
                status, description = self.poll_refusal
                wait = {"parameters": {"retry_after": 37}} if status == 429 else {}
                return status, {"ok": False, "error_code": status, "description": description, **wait}
            offset = int(payload.get("offset", 0))
            self._updates = [each for each in self._updates if each["update_id"] >= offset]
            self._arrived.wait_for(lambda: bool(self._updates), float(payload.get("timeout", 0)))
            return 200, {"ok": True, "result": self._updates[: int(payload.get("limit", 100))]}

    def _trouble(self, trouble: _Trouble) -> None:
        with self._lock:
            self._troubles.append(trouble)

    def _take(
        self, token: str, payload: dict[str, Any]
    ) -> tuple[_Trouble | None, int, dict[str, Any], threading.Event]:
        with self._arrived:
            trouble = self._troubles[0] if self._troubles else None
            if trouble is not None and trouble.times is not None:
                trouble.times -= 1
                if not trouble.times:
                    self._troubles.pop(0)
            chat_id, text = str(payload.get("chat_id", "")), str(payload.get("text", ""))
            status, body = self._judge(token, text, payload)
            delivered = status == 200 and (trouble is None or trouble.kind == "forget")
            self.requests.append(Received(chat_id, text, payload, time.monotonic(), delivered))
            self._arrived.notify_all()
            return trouble, status, body, self._released

    def _judge(self, token: str, text: str, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        def no(status: int, description: str) -> tuple[int, dict[str, Any]]:
            return status, {"ok": False, "error_code": status, "description": description}

        if token != self.token:
            return no(401, "Unauthorized")
        if not text.strip():
            return no(400, "Bad Request: message text is empty")
        if payload.get("parse_mode") == "HTML" and (error := markup_error(text)):
            return no(400, f"Bad Request: can't parse entities: {error}")
        if len(text.encode("utf-16-le")) // 2 > 4096:
            return no(400, "Bad Request: message is too long")
        message_id = len(self.requests) + 1
        return 200, {"ok": True, "result": {"message_id": message_id, "text": text, "date": 0}}


_OTHERS = ("getMe", "getUpdates", "answerCallbackQuery", "editMessageReplyMarkup")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is nothing to report."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    telegram: FakeTelegram
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        bot, _, method = self.path.lstrip("/").partition("/")
        if bot.startswith("bot") and method in _OTHERS:
            self._answer(*self.telegram._other(bot.removeprefix("bot"), method, payload))
            return
        if not bot.startswith("bot") or method != "sendMessage":
            self._answer(404, {"ok": False, "error_code": 404, "description": "Not Found"})
            return
        trouble, status, body, released = self.telegram._take(bot.removeprefix("bot"), payload)
        if trouble is None:
            self._answer(status, body)
        elif trouble.kind == "answer":
            self._answer(trouble.status, trouble.body)
        elif trouble.kind == "garbage":
            self._answer(200, None)
        else:
            if trouble.kind == "hang":
                released.wait(60)
            self._close()

    def _answer(self, status: int, body: dict[str, Any] | None) -> None:
        content = b"<html>a proxy's page" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _close(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: object) -> None:
        """Silence: tests assert on what was received."""
