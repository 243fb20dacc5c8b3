"""The methods of Telegram's Bot API that a conversation needs: updates by long polling, replies, and buttons.

What the API promises, and what follows from it:

- `getUpdates` gives the updates from `offset` on, and forgets those before it. So an offset confirms what came before.
- `getUpdates` answers 409 while a webhook is set or another program polls; whoever polls last ends the other's call.
- Updates are kept for 24 hours. `callback_data` has 1 to 64 bytes.
- A button that is not answered shows a progress bar at the person who pressed it.
"""

from collections.abc import Sequence
from typing import Any

import requests

from domain.ports import Button, ChannelFailed
from notifications.markup import without_markup
from notifications.telegram import keep_out_of_logs, wait_of

WANTED = ["message", "callback_query"]
"""The kinds of updates that are asked for: no edited messages, no channel posts."""
MOST_UPDATES = 100
_REFUSED = 400
_ANSWER_ROOM = 200  # characters of the notification that answers a button


class TelegramBot:
    """One bot, for one thread at a time. Implements `domain.ports.Channel`: a call is bounded by its
    timeouts, a poll by `poll_seconds` more.

    The token is part of every URL, so no error of `requests` and no URL leaves this class.

    Args:
        token: the bot's token, as BotFather gave it.
        api_url: `https://api.telegram.org`, or another server of the Bot API.
        timeouts: seconds to connect, and seconds to wait for the answer.
        poll_seconds: how long Telegram holds a poll that has nothing to give.
    """

    def __init__(
        self,
        token: str,
        api_url: str,
        session: requests.Session | None = None,
        timeouts: tuple[float, float] = (3.05, 10.0),
        poll_seconds: int = 20,
    ) -> None:
        self._token = token
        self._base = f"{api_url.rstrip('/')}/bot{token}/"
        self._session = session or requests.Session()
        self._timeouts = timeouts
        self._poll_seconds = poll_seconds
        self._user_name: str | None = None
        keep_out_of_logs(token)

    @property
    def bot_id(self) -> str:
        """The bot's number, which is no secret."""
        return self._token.partition(":")[0]

    def user_name(self) -> str:
        """Return the bot's user name, which is asked for once. Raises ChannelFailed."""
        if self._user_name is None:
            found = self._call("getMe", {}, self._timeouts)
            self._user_name = str(found.get("username", "")) if isinstance(found, dict) else ""
        return self._user_name

    def updates(self, offset: int) -> list[dict[str, Any]]:
        """Wait for updates; empty when none came. Raises ChannelFailed."""
        connect, read = self._timeouts
        payload = {"timeout": self._poll_seconds, "limit": MOST_UPDATES, "allowed_updates": WANTED}
        if offset:
            payload["offset"] = offset
        found = self._call("getUpdates", payload, (connect, read + self._poll_seconds))
        return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

    def reply(
        self, chat_id: str, text: str, *, to: int | None = None, buttons: Sequence[Button] = ()
    ) -> None:
        """Send a message in Telegram's HTML, as a reply to a message, with a row of buttons.

        What Telegram refuses is sent once more without markup.

        Raises:
            ChannelFailed: it was not delivered, or that is unknown.
        """
        payload: dict[str, Any] = {
            "chat_id": chat_id,
            "text": text,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
        }
        if to is not None:
            payload["reply_parameters"] = {"message_id": to, "allow_sending_without_reply": True}
        if buttons:
            row = [{"text": each.label, "callback_data": each.data} for each in buttons]
            payload["reply_markup"] = {"inline_keyboard": [row]}
        try:
            self._call("sendMessage", payload, self._timeouts)
        except ChannelFailed as error:
            if error.status != _REFUSED:
                raise
            del payload["parse_mode"]
            payload["text"] = without_markup(text)
            self._call("sendMessage", payload, self._timeouts)

    def answer_button(self, callback_id: str, text: str) -> None:
        """Answer a button that was pressed, with a short plain text. Raises ChannelFailed."""
        payload = {"callback_query_id": callback_id, "text": text[:_ANSWER_ROOM]}
        self._call("answerCallbackQuery", payload, self._timeouts)

    def take_buttons_away(self, chat_id: str, message_id: int) -> None:
        """Remove the buttons of a message of ours. Raises ChannelFailed."""
        payload = {"chat_id": chat_id, "message_id": message_id, "reply_markup": {"inline_keyboard": []}}
        self._call("editMessageReplyMarkup", payload, self._timeouts)

    def _call(self, method: str, payload: dict[str, Any], timeouts: tuple[float, float]) -> Any:
        broken = ""
        try:
            response = self._session.post(
                self._base + method,
                json=payload,
                timeout=timeouts,
                allow_redirects=False,  # a redirect would carry the token elsewhere
            )
            body = response.json()
        except requests.RequestException as error:
            broken = type(error).__name__  # only the type: the error's text contains the URL
        if broken:
            raise ChannelFailed(f"Telegram could not be reached, or not understood: {broken}")
        if not isinstance(body, dict) or body.get("ok") is not True:
            raise self._error(response.status_code, body if isinstance(body, dict) else {})
        return body.get("result")

    def _error(self, status: int, body: dict[str, Any]) -> ChannelFailed:
        description = str(body.get("description", "")).replace(self._token, "<token>")[:200]
        parameters = body.get("parameters")
        wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
        described = description or "an answer without a description"
        return ChannelFailed(f"Telegram answered {status}: {described}", status, wait_of(wait))
