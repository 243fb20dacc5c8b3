"""Say to an outside monitor that this service works: one GET, whose absence the monitor notices."""

import logging
from urllib.parse import urlsplit

import requests

from notifications.telegram import keep_out_of_logs

log = logging.getLogger(__name__)


class PingFailed(Exception):
    """The monitor was not reached, or did not take the request. Its text names no address, which may be a secret."""


class HeartbeatPing:
    """One monitor's address, for one thread at a time. A call lasts at most about twice its timeouts.

    The path is what the monitor knows us by, so no error of `requests` and no URL leaves this class.

    Args:
        url: the whole address, as the monitor gave it.
        session: connections to use; a new session by default.
        timeouts: seconds to connect, and seconds to wait for the answer.
    """

    def __init__(
        self,
        url: str,
        session: requests.Session | None = None,
        timeouts: tuple[float, float] = (3.05, 5.0),
    ) -> None:
        self._url = url
        self._session = session or requests.Session()
        self._timeouts = timeouts
        parts = urlsplit(url)
        if parts.path.strip("/"):
            keep_out_of_logs(parts.path)

    def send(self) -> None:
        """Send one GET; its answer's body is not read.

        Raises:
            PingFailed: it did not come through, or was not answered with 2xx.
        """
        try:
            # Not read to its end, and redirects not followed: a monitor that is slow to talk holds nothing up.
            with self._session.get(
                self._url, timeout=self._timeouts, stream=True, allow_redirects=False
            ) as answer:
                status = answer.status_code
        except requests.Timeout:
            raise PingFailed("no answer in time") from None
        except requests.RequestException as error:
            raise PingFailed(f"not reached ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise PingFailed(f"answered {status}")
