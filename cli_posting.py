"""Post an alert to the running service, signed as its client, and tell a missing answer from an alert not accepted."""

import time
from collections.abc import Mapping

import requests
from urllib3.exceptions import NewConnectionError

from config.settings import ClientSettings, Settings
from domain.credentials import alert_signature, secret_bytes
from domain.errors import OrderwatchError

_TIMEOUT = 30.0  # seconds for the service to answer


class NoAnswer(OrderwatchError):
    """The service did not answer; the message says whether it may have accepted the alert all the same."""


def base_url(settings: Settings) -> str:
    """The address at which the service of these settings answers, seen from this machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port}"


def post_alert(
    url: str, body: bytes, client: ClientSettings, *, with_time: bool = False
) -> requests.Response:
    """Post the body, signed with the client's secret; returns the service's answer.

    Args:
        with_time: whether the signature covers the time of now.

    Raises:
        NoAnswer: there was none.
    """
    secret = secret_bytes(client.webhook_secret.get_secret_value())
    headers = {
        "Content-Type": "application/json",
        "X-Signature": alert_signature(secret, body, at=int(time.time()) if with_time else None),
    }
    return _sent(url, body, headers)


def _sent(url: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
    try:
        return requests.post(url, data=body, headers=headers, timeout=_TIMEOUT)
    except requests.ConnectTimeout:
        left = False
    except requests.ConnectionError as error:
        cause = error.args[0] if error.args else None
        left = not isinstance(getattr(cause, "reason", None), NewConnectionError)
    except (requests.Timeout, requests.exceptions.ChunkedEncodingError):
        left = True
    if left:
        raise NoAnswer(
            f"no whole answer from {url}: the alert may have been taken all the same; see `python cli.py orders`"
        )
    raise NoAnswer(f"nobody answers at {url}: is the service running?")
