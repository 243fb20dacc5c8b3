"""Send messages by Telegram's Bot API, of which only the method `sendMessage` is needed."""

import logging
from dataclasses import dataclass, field
from typing import Any

import requests

from domain.ports import SendFailed
from notifications.markup import without_markup

_REFUSED_FOR_GOOD = ("message is too long", "message text is empty", "text must be non-empty")
"""Refusals of the message itself. Every other refusal is for an operator to put right."""

_UNREADABLE_MARKUP = "can't parse entities"
_LONGEST_WAIT = 86_400.0  # seconds; a longer `retry_after` is ignored


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    description: str = ""
    message_id: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


class TelegramSender:
    """Sends messages as one bot, for one thread at a time. A call lasts at most about twice its timeouts.

    The token is part of every URL, so no error of `requests` and no URL leaves this class.

    Args:
        token: the bot's token, as BotFather gave it.
        api_url: `https://api.telegram.org`, or another server of the Bot API.
        session: connections to use; a new session by default.
        timeouts: seconds to connect, and seconds to wait for the answer.
    """

    def __init__(
        self,
        token: str,
        api_url: str,
        session: requests.Session | None = None,
        timeouts: tuple[float, float] = (3.05, 10.0),
    ) -> None:
        self._token = token
        self._url = f"{api_url.rstrip('/')}/bot{token}/sendMessage"
        self._session = session or requests.Session()
        self._timeouts = timeouts
        keep_out_of_logs(token)

    def send(self, chat_id: str, text: str, *, silent: bool = False) -> str:
        """Deliver one message in Telegram's HTML, without a sound if `silent`; returns the message's id in its chat.

        A text whose markup Telegram cannot read is sent once more without any.

        Raises:
            SendFailed: it was not delivered, or that is unknown (a timeout). `permanent` only where Telegram would
                refuse this very text again. A chat not found or a wrong token is for an operator to put right.
        """
        sound: dict[str, object] = {"disable_notification": True} if silent else {}
        answer = self._call({"chat_id": chat_id, "text": text, "parse_mode": "HTML", **sound})
        if answer.status == 400 and _UNREADABLE_MARKUP in answer.description.lower():
            answer = self._call({"chat_id": chat_id, "text": without_markup(text), **sound})
        if answer.message_id is None:
            raise _failure(answer)
        return str(answer.message_id)

    def _call(self, payload: dict[str, object]) -> _Answer:
        broken = ""
        try:
            response = self._session.post(
                self._url,
                json={**payload, "link_preview_options": {"is_disabled": True}},
                timeout=self._timeouts,
                allow_redirects=False,  # a redirect would carry the token elsewhere
            )
            return self._read(response)
        except requests.RequestException as error:
            broken = type(error).__name__  # only the type: the error's text contains the URL
        raise SendFailed(f"Telegram could not be reached, or not understood: {broken}")

    def _read(self, response: requests.Response) -> _Answer:
        body = response.json()
        if not isinstance(body, dict):
            return _Answer(response.status_code)
        description = str(body.get("description", "")).replace(self._token, "<token>")[:200]
        result, parameters = body.get("result"), body.get("parameters")
        delivered = body.get("ok") is True and isinstance(result, dict)
        return _Answer(
            response.status_code,
            description,
            result.get("message_id") if delivered and isinstance(result, dict) else None,
            parameters if isinstance(parameters, dict) else {},
        )


def _failure(answer: _Answer) -> SendFailed:
    described = answer.description or "an answer without a description"
    text = f"Telegram answered {answer.status}: {described}"
    if (moved := answer.parameters.get("migrate_to_chat_id")) is not None:
        text += f" (the chat's id is {moved} now)"
    permanent = answer.status == 400 and any(
        words in answer.description.lower() for words in _REFUSED_FOR_GOOD
    )
    return SendFailed(text, retry_after=wait_of(answer.parameters.get("retry_after")), permanent=permanent)


def wait_of(value: object) -> float | None:
    """Return a `retry_after` in seconds; None where it is no sensible number."""
    if isinstance(value, int | float) and 0 < value <= _LONGEST_WAIT:
        return float(value)
    return None


class _HideToken(logging.Filter):
    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if self._token in line:
            record.msg, record.args = line.replace(self._token, "<token>"), ()
        return True


def keep_out_of_logs(token: str) -> None:
    """Keep the token out of the logs: at DEBUG, urllib3 logs the path of every request, which contains it."""
    logging.getLogger("urllib3.connectionpool").addFilter(_HideToken(token))
