"""`python -m broker.zerodha`: exchange the request token of a browser login for the day's access token.

It asks for everything, so that nothing of it stands in a shell's history. The access token is printed, or written into
the file of ZERODHA_LOGIN_FILE.
"""

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

from broker.http_calls import AnswerLost, RequestNotSent, Timeouts
from broker.sessions import LoginFailed
from broker.zerodha.session import access_token
from broker.zerodha.settings import API_URL
from broker.zerodha.wire import wire_of

_LOGIN = "https://kite.zerodha.com/connect/login"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask, exchange, and print or write. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m broker.zerodha", description=__doc__)
    parser.add_argument("--file", type=Path, help="write the access token there instead of printing it")
    parser.add_argument("--url", default=API_URL, help="of the API")
    options = parser.parse_args(arguments)
    api_key = input("API key: ").strip()
    sys.stderr.write(f"Log in at {_LOGIN}?{urlencode({'v': 3, 'api_key': api_key})}\n")
    request_token = input("request_token of the address to which the browser was sent: ").strip()
    api_secret = getpass.getpass("API secret: ").strip()
    wire = wire_of(options.url.rstrip("/"), api_key, Timeouts())
    try:
        user, token = access_token(wire, api_key, request_token, api_secret)
    except (LoginFailed, RequestNotSent, AnswerLost) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if options.file is None:
        sys.stdout.write(f"ZERODHA_USER_ID={user}\nZERODHA_ACCESS_TOKEN={token}\n")
    else:
        _write(options.file, token)
        sys.stdout.write(f"{options.file} has the access token of {user}\n")
    return 0


def _write(file: Path, token: str) -> None:
    """Replace the file in one step: a reader finds the old token or the new one. Only its owner may read it."""
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(f"{token}\n", encoding="ascii")
    new.replace(file)


if __name__ == "__main__":
    sys.exit(main())
