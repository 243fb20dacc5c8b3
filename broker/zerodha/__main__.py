"""`python -m broker.zerodha`: exchange the request token of a browser login for the day's access token.

It asks for everything, so that nothing of it stands in a shell's history. Only the access token is printed.
"""

import getpass
import sys
from urllib.parse import urlencode

from broker.http_calls import AnswerLost, RequestNotSent, Timeouts
from broker.sessions import LoginFailed
from broker.zerodha.session import access_token
from broker.zerodha.settings import API_URL
from broker.zerodha.wire import Wire

_LOGIN = "https://kite.zerodha.com/connect/login"


def main() -> int:
    """Ask, exchange, print. Returns the exit code."""
    url = sys.argv[1] if len(sys.argv) > 1 else API_URL
    api_key = input("API key: ").strip()
    sys.stderr.write(f"Log in at {_LOGIN}?{urlencode({'v': 3, 'api_key': api_key})}\n")
    request_token = input("request_token of the address to which the browser was sent: ").strip()
    api_secret = getpass.getpass("API secret: ").strip()
    try:
        user, token = access_token(
            Wire(url.rstrip("/"), api_key, Timeouts()), api_key, request_token, api_secret
        )
    except (LoginFailed, RequestNotSent, AnswerLost) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"ZERODHA_USER_ID={user}\nZERODHA_ACCESS_TOKEN={token}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
