"""Parse the arguments of `cli.py`: the commands, their options, and what is refused before anything is done."""

import argparse
from collections.abc import Callable, Mapping
from decimal import Decimal

from domain.account_state import AccountState
from domain.money import parse_decimal
from domain.states import Status

Command = Callable[[argparse.Namespace], int]
"""Carries out what was typed; returns the exit code."""

_Add = Callable[[str], argparse.ArgumentParser]


def parser(commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """Create the parser of these commands. Its result has the chosen command as `run`."""
    whole = argparse.ArgumentParser(prog="cli.py", description="Orderwatch, for its operator.")
    parsers = whole.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str) -> argparse.ArgumentParser:
        # The first sentence of a command's docstring is its line in the help.
        about = (commands[name].__doc__ or "").strip()
        added = parsers.add_parser(name, help=about.split(". ")[0].rstrip("."), description=about)
        added.set_defaults(run=commands[name])
        return added

    _looking(add)
    _alerts(add)
    _halting(add)
    _wishes(add)
    _instruments(add)
    _care(add)
    return whole


def _looking(add: _Add) -> None:
    listing = add("orders")
    which = listing.add_mutually_exclusive_group()
    which.add_argument("--status", type=str.upper, choices=[str(status) for status in Status])
    which.add_argument(
        "--frozen", action="store_true", help="those SENT_TO_BROKER for over an hour, oldest first"
    )
    listing.add_argument("--symbol")
    listing.add_argument("--strategy")
    listing.add_argument("--client")
    listing.add_argument("--limit", type=_count, default=50)
    listing.add_argument("--json", action="store_true")
    one = add("show")
    one.add_argument("id", help="a command_id or an alert_id, or enough of its end to be unique")
    one.add_argument("--json", action="store_true")


def _alerts(add: _Add) -> None:
    post = add("alert")
    post.add_argument("file", help="the alert's body; - for standard input")
    post.add_argument("--format", help="its dialect; without it, the one that recognises the body")
    post.add_argument("--client", help="whose secret signs it")
    post.add_argument("--dry-run", action="store_true", help="print what it would do, and post nothing")
    again = add("replay")
    again.add_argument("id", help="an alert_id")
    again.add_argument("--reason", required=True, help="why; it is kept with the alert")
    again.add_argument("--yes", action="store_true", help="do not ask")
    post.add_argument("--url", help="where the service runs, when not at HOST and PORT")


def _halting(add: _Add) -> None:
    stop, go = add("halt"), add("resume")
    for each in (stop, go):
        each.add_argument("--client", help="one client; without it all")
        each.add_argument("--strategy", type=_text, help="one strategy; without it all")
    stop.add_argument("--reason", required=True)
    state = add("state")
    state.add_argument("state", type=str.upper, choices=[str(each) for each in AccountState])
    state.add_argument("--client", help="one client; without it all")
    state.add_argument("--strategy", type=_text, help="one strategy; without it all")
    state.add_argument("--reason", type=_text, required=True)
    loss = add("lift")
    loss.add_argument("client", help="whose limits on the day's profit and loss")
    loss.add_argument("--reason", type=_text, required=True, help="why; kept, and told to everybody")


def _wishes(add: _Add) -> None:
    say = add("resolve")
    say.add_argument("id", help="a command_id, or enough of its end to be unique")
    became = say.add_mutually_exclusive_group(required=True)
    became.add_argument("--executed", metavar="BROKER_ID", help="the broker has filled it, under this id")
    became.add_argument(
        "--found", metavar="BROKER_ID", help="the broker has it under this id; its book says the rest"
    )
    became.add_argument("--failed", metavar="REASON", help="the broker never had it")
    say.add_argument("--filled", type=_decimal, metavar="QTY")
    say.add_argument("--price", type=_decimal, metavar="P", help="average price of the fill")
    say.add_argument("--reason", help="how the fill was found out")
    back = add("cancel")
    back.add_argument("id", help="a command_id, or enough of its end to be unique")
    back.add_argument(
        "--by", type=_text, metavar="NAME", help="who wishes it; without it the user of this machine"
    )
    back.add_argument("--reason", type=_text, required=True, help="why; kept in the order's history")
    own = add("adopt")
    own.add_argument("client", help="in whose account the units are")
    own.add_argument("symbol", help="what they are units of")
    own.add_argument("strategy", type=_text, help="whose holding they become")
    own.add_argument(
        "quantity", type=_decimal, metavar="QTY", help="units: 50 of a long position, -50 of a short one"
    )
    own.add_argument("--exchange", type=_text, help="needed where the symbol is held on several")
    own.add_argument("--product", type=_text, help="needed where it is held in several")
    own.add_argument("--reason", type=_text, required=True, help="why; kept for good, and told to everybody")
    flat = add("flatten")
    flat.add_argument("--client", help="one client; without it all")
    flat.add_argument("--symbol", help="one symbol; without it all")
    flat.add_argument("--strategy", type=_text, help="what one strategy holds; without it whole positions")
    flat.add_argument("--yes", action="store_true", help="do not ask")


def _instruments(add: _Add) -> None:
    lists = add("instruments")
    lists.add_argument("action", choices=["load", "find", "show"])
    lists.add_argument(
        "symbol", nargs="?", help="for find: a name as an alert writes it, such as NSE:NIFTY1!"
    )
    lists.add_argument("--broker", help="whose lists; without it those of the clients' brokers")
    lists.add_argument("--folder", help="for load: where the lists are, when not in INSTRUMENTS_DIR")
    lists.add_argument(
        "--shrunk-too", action="store_true", help="for load: even where more than half of the rows are gone"
    )
    lists.add_argument("--exchange", type=str.upper, help="for find: as the alert names it; without it NSE")
    lists.add_argument("--strategy", help="for find: whose rules count")
    lists.add_argument("--json", action="store_true")


def _care(add: _Add) -> None:
    add("verify").add_argument("--json", action="store_true")
    days = add("archive")
    days.add_argument("--days", type=_count, help="move what has not changed for so many days")
    other = add("rebind")
    other.add_argument("client", help="whose rows are to be those of the account that the settings name")
    other.add_argument(
        "new", nargs="?", help="the id that the client has now: its rows, live orders too, become that one's"
    )
    other.add_argument("--yes", action="store_true", help="do not ask")
    add("migrate")
    add("backup").add_argument("file", help="where the copy goes")
    add("restore").add_argument("file", help="the copy; orders.db itself to keep what lies there")
    add("doctor").add_argument("--json", action="store_true")


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected a text that is not blank")
    return text.strip()


def _decimal(text: str) -> Decimal:
    try:
        return parse_decimal(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)
