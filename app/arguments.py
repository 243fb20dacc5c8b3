"""Parse the arguments of `trading_bot.py` and `order_watcher.py`. Any others end with the usage and status 2."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

WEB, WATCH = "web", "watch"
# Means that the process that started this one has prepared the database, and that this one ends with it.
SUPERVISED = "--supervised"


@dataclass(frozen=True, slots=True)
class Start:
    """What to start: `web`, `watch`, or (None) both of them under a supervisor.

    With `supervised` the process that started this one has prepared the database, and this process ends with it.
    """

    part: str | None
    supervised: bool


def service_arguments(given: Sequence[str]) -> Start:
    """Parse the arguments of `trading_bot.py`.

    Raises:
        SystemExit: help was requested (status 0), or the arguments are not valid (status 2).
    """
    parser = _parser("trading_bot.py", "Orderwatch: takes alerts, sends their orders and follows them.")
    parser.add_argument(
        "part",
        nargs="?",
        choices=(WEB, WATCH),
        metavar="web|watch",
        help="the web server alone, or a watcher alone; without it both, under a supervisor",
    )
    parser.add_argument(SUPERVISED, action="store_true", help="end with the process that started this one")
    options = parser.parse_args(given)
    return Start(options.part, options.supervised)


def check_no_arguments(given: Sequence[str]) -> None:
    """Check that `order_watcher.py` was given no arguments but `--help`. Raises as `service_arguments` does."""
    _parser("order_watcher.py", "Orderwatch: a watcher alone.").parse_args(given)


def _parser(program: str, about: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=program,
        description=f"{about} Settings come from the environment and .env; config/example.env lists them.",
        allow_abbrev=False,
    )
