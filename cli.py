"""The operator's commands, on the same services as the webhook and the console.

An error is one clear line and exit code 2. `verify` ends with 1 when something is wrong, and with 3 when not everything
could be checked. `doctor` ends with 1 when something does not work.
"""

import argparse
import contextlib
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import requests

from app.settings import load_settings
from app.system import operator_name
from broker.registry import BROKERS
from cli_backup import backup_database, print_verification, restore_database
from cli_doctor import findings_of_everything
from cli_holdings import adopt_units, exit_text
from cli_instruments import instruments
from cli_output import Refused, age_text, cancel_told, facts, table
from cli_parser import parser
from cli_posting import base_url, post_alert
from cli_replay import replay_alert
from command_service import ResolvedFill
from config.settings import Settings, SettingsError
from domain.account_state import AccountState
from domain.actors import Actor, ActorKind
from domain.errors import NotFound, OrderwatchError, StoreUnavailable
from domain.halt_warning import never_seen
from domain.money import decimal_text
from domain.ports import Wanted
from domain.stale_orders import FROZEN_AFTER, FROZEN_MEANS
from domain.times import parse_time
from engine.account_binding import move_rows, rebind
from engine.loss_latch import lift
from persistence.database import Database, open_database
from persistence.reports import NOTHING, Health

if TYPE_CHECKING:
    from app.container import Services

EXIT_ERROR = 2
_BATCH = 500
_ALL = 100_000  # orders at a broker for over an hour are never so many
_EXPECTED_ERRORS = (
    OrderwatchError,
    SettingsError,
    requests.RequestException,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit code."""
    options = parser(_COMMANDS).parse_args(arguments)
    try:
        code: int = options.run(options)
    except (*_EXPECTED_ERRORS, ValueError) as error:
        print(f"orderwatch: {error}", file=sys.stderr)
        return EXIT_ERROR
    return code


# queries ----------------------------------------------------------------------------------------------------

# fmt: off
_ORDER_COLUMNS = ("created_at", "client_id", "strategy_name", "side", "quantity", "symbol", "order_type", "price",
                  "status", "phase", "tag", "filled_quantity", "average_price", "broker_order_id", "command_id")
_FROZEN_COLUMNS = ("sent_to_broker_at", "age", "client_id", "strategy_name", "side", "quantity", "symbol", "phase",
                   "attempts", "why", "broker_order_id", "command_id")
_EVENT_COLUMNS = ("event_id", "at", "from_phase", "to_phase", "tag", "actor", "detail_json")
# fmt: on


def orders(options: argparse.Namespace) -> int:
    """List orders, newest first."""
    if options.frozen:
        return _frozen_orders(options)
    given = {"status": options.status, **_filters(options)}
    wanted = cast("Wanted", {name: value for name, value in given.items() if value is not None})
    rows = _database().orders(wanted, limit=options.limit)
    if options.json:
        _print_json(rows)
    else:
        print(table(_ORDER_COLUMNS, rows) if rows else "no orders")
    return 0


def _frozen_orders(options: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    found = _database().frozen_orders(now - FROZEN_AFTER, limit=_ALL)
    chosen = {name: value for name, value in _filters(options).items() if value is not None}
    rows = [
        {**row, "age": age_text(now - parse_time(row["sent_to_broker_at"]))}
        for row in found
        if all(row[name] == value for name, value in chosen.items())
    ][: options.limit]
    if options.json:
        _print_json(rows)
    else:
        print(f"{FROZEN_MEANS}\n{table(_FROZEN_COLUMNS, rows)}" if rows else "no orders")
    return 0


def _filters(options: argparse.Namespace) -> dict[str, str | None]:
    return {"symbol": options.symbol, "strategy_name": options.strategy, "client_id": options.client}


def show(options: argparse.Namespace) -> int:
    """One order's story: its row, its events, its messages. Of an alert with several legs: the list of them."""
    database = _database()
    legs = database.legs_of(options.id)
    if legs:
        _print_json(legs) if options.json else print(table(_ORDER_COLUMNS, legs))
        return 0
    story = _story(database, options.id)
    if options.json:
        _print_json(story)
        return 0
    print(facts(story))
    print("\n" + table(_EVENT_COLUMNS, story["events"]))
    for message in story["messages"]:
        print(
            f"\n{message['timestamp']} {message['status']}, attempts: {message['attempts']}\n{message['message']}"
        )
    return 0


def _story(database: Database, text: str) -> dict[str, Any]:
    ids, story = database.find_story(text)
    if len(ids) > 1:
        raise Refused(f"{text} fits several orders: {', '.join(ids)}")
    if story is None:
        raise NotFound(f"no order's id, nor its alert's, is or ends with {text!r}")
    return story


# alerts -----------------------------------------------------------------------------------------------------


def alert(options: argparse.Namespace) -> int:
    """Post a file as an alert and print the answer; dry, print what it would do and post nothing."""
    body = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    settings = _settings()
    if options.dry_run:
        from app.starting import previewer_of  # what the service is made of takes a while to load

        told = previewer_of(settings)(body, options.format)
        print(json.dumps(told, indent=2, ensure_ascii=False))
        return 1 if told["outcome"] == "rejected" else 0
    _chosen(settings, options.client)  # signed for another client it would be another client's order
    return _post(settings, body, url=options.url, client_id=options.client, path=_webhook(options.format))


def _webhook(alert_format: str | None) -> str:
    return f"/webhook/{alert_format}" if alert_format else "/webhook"


def _post(settings: Settings, body: bytes, *, url: str | None, client_id: str | None, path: str) -> int:
    client = (
        settings.client(client_id)
        if client_id in [client.client_id for client in settings.clients]
        else settings.default_client
    )
    with_time = settings.webhook_signature_needs_time
    answer = post_alert(f"{url or base_url(settings)}{path}", body, client, with_time=with_time)
    print(f"{answer.status_code} {answer.text.strip()}")
    return 0 if answer.ok else 1


# operators' actions -----------------------------------------------------------------------------------------


def halt(options: argparse.Namespace) -> int:
    """Stop new entries; exits go on."""
    services = _services()
    clients = _chosen(services.settings, options.client)
    for client_id in clients:
        services.commands.halt(client_id, options.strategy, by=operator_name(), reason=options.reason)
        print(f"halted: {client_id} {options.strategy or '(all strategies)'}")
    if options.strategy is not None:
        with contextlib.suppress(StoreUnavailable):  # the halts are stored: a note must not fail them
            for client_id in clients:
                _note_unseen(services.database, client_id, options.strategy)
    return 0


def _note_unseen(database: Database, client_id: str, strategy_name: str) -> None:
    note = never_seen(strategy_name, database.strategies(client_id))
    if note is not None:
        print(f"note: {note}")


def resume(options: argparse.Namespace) -> int:
    """Lift a halt."""
    services = _services()
    for client_id in _chosen(services.settings, options.client):
        lifted = services.commands.resume(client_id, options.strategy, by=operator_name())
        what = f"{client_id} {options.strategy or '(all strategies)'}"
        print(f"resumed: {what}" if lifted else f"was not halted: {what}")
    return 0


def set_state(options: argparse.Namespace) -> int:
    """Say what may be entered: ACTIVE (all), REDUCING (what makes the account's position smaller), HALTED (nothing)."""
    services = _services()
    state = AccountState(options.state)
    for client_id in _chosen(services.settings, options.client):
        services.commands.set_state(
            client_id, options.strategy, state, by=operator_name(), reason=options.reason
        )
        print(f"{state}: {client_id} {options.strategy or '(all strategies)'}")
    return 0


def lift_latch(options: argparse.Namespace) -> int:
    """Let entries go on after the daily loss limit was hit. The limit counts from the loss of now."""
    services = _services()
    [client_id] = _chosen(services.settings, options.client)
    done = lift(
        services.store,
        services.policies,
        client_id,
        at=services.clock.now(),
        by=operator_name(),
        reason=options.reason,
    )
    stood = "" if done.lowest is None else f", which stood at {decimal_text(done.lowest)}"
    what = ", ".join(done.stops) if done.stops and not done.latched else "the daily loss limit"
    print(f"lifted: {what} of {client_id}{stood}. {done.means}")
    return 0


def resolve(options: argparse.Namespace) -> int:
    """Say what became of an order of unknown outcome, as the broker's own book shows it."""
    if options.executed is not None and options.filled is None:
        raise Refused("--executed needs --filled, and --price where the broker shows one; see also --found")
    number = options.found if options.executed is None else options.executed
    if options.found is not None and (options.filled, options.price) != (None, None):
        raise Refused("--found takes neither --filled nor --price: the broker's book says them")
    if options.failed is not None and (options.filled, options.price, options.reason) != (None, None, None):
        raise Refused(
            "--failed takes no --filled, --price or --reason: a partly filled order is followed: --found"
        )
    if options.failed == "REASON" or number == "NUMBER":
        raise Refused("NUMBER and REASON stand for what you found out: put that in")
    fill = None
    if number is not None:
        fill = ResolvedFill(number, options.filled, options.price, options.reason)
    services = _services()
    command_id = _story(services.database, options.id)["order"]["command_id"]
    order = services.commands.resolve(
        command_id, by=operator_name(), executed=fill, failed_reason=options.failed
    )
    print(f"{order.command_id} is {order.status} {order.tag or ''}".rstrip())
    return 0


def cancel(options: argparse.Namespace) -> int:
    """Take an order back. One that was not sent ends at once; else the broker is asked, and its book decides."""
    services = _services()
    command_id = _story(services.database, options.id)["order"]["command_id"]
    by = operator_name() if options.by is None else str(Actor(ActorKind.CLI, options.by))
    try:
        services.commands.cancel(command_id, by=by, reason=options.reason)
    except NotFound:
        raise Refused(f"{command_id} has ended and is in the archive: there is nothing to cancel") from None
    print(cancel_told(_story(services.database, command_id)))
    return 0


def replay(options: argparse.Namespace) -> int:
    """Register a kept alert anew, once what it would do now was shown and confirmed."""
    from app.starting import replayer_of  # what the service is made of takes a while to load

    return replay_alert(options, replayer_of(_services()), _confirmed)


def adopt(options: argparse.Namespace) -> int:
    """Make units that no strategy holds one strategy's holding. Its exits close them then, and its entries wait."""
    services = _services()
    [client_id] = _chosen(services.settings, options.client)
    return adopt_units(options, services, client_id)


def _confirmed(question: str) -> bool:
    try:
        return input(f"{question} [y/N] ").strip().lower() == "y"
    except EOFError:  # nobody is there to answer
        return False


def flatten(options: argparse.Namespace) -> int:
    """Ask for an exit of each open position, or of what one strategy holds. Entries go on; `halt` stops them."""
    services = _services()
    parts = [
        part
        for client_id in _chosen(services.settings, options.client)
        for part in services.commands.parts_to_flatten(
            client_id, strategy_name=options.strategy, symbol=options.symbol
        )
    ]
    print("\n".join(map(exit_text, parts)) or "no open position")
    if not parts:
        return 0
    if not options.yes and not _confirmed(f"send {len(parts)} exits at market?"):
        print("nothing was sent")
        return 1
    for order in services.commands.flatten(parts, by=operator_name()):
        print(f"{order.command_id} {order.status} {order.tag or ''}".rstrip())
    return 0


# maintenance ------------------------------------------------------------------------------------------------


def verify_database(options: argparse.Namespace) -> int:
    """Prove that orders.db and its archive still say what happened."""
    report = _database().verify()
    if options.json:
        _print_json(asdict(report) | {"exit_code": report.exit_code})
        return report.exit_code
    print_verification(report)
    return report.exit_code


def archive_orders(options: argparse.Namespace) -> int:
    """Move closed orders to the archive, batch by batch; it may be stopped and started again at any time."""
    settings = _settings()
    days = settings.archive_after_days if options.days is None else options.days
    if days is None:
        raise Refused("say --days N, or set ARCHIVE_AFTER_DAYS")
    database, total = _existing(settings), NOTHING
    database.migrate()
    while True:
        now = datetime.now(UTC)
        moved = database.archive(older_than=now - timedelta(days=days), batch=_BATCH, now=now)
        if moved == NOTHING:
            print(f"moved {total.orders} orders, {total.events} events, {total.messages} messages")
            return 0
        total += moved


def rebind_client(options: argparse.Namespace) -> int:
    """Make a client's rows those of the account that the settings name. What was held at the old one is forgotten."""
    services = _services()
    if options.new is not None:
        return _rename_client(services, options.client, options.new, yes=options.yes)
    [client_id] = _chosen(services.settings, options.client)
    account = services.settings.client(client_id).broker_account
    if not options.yes and not _confirmed(
        f"forget what {client_id} holds, and make its rows those of {account}?"
    ):
        print("nothing was changed")
        return 1
    before = rebind(services.store, client_id, account, by=operator_name())
    print(f"the rows of {client_id} were those of {before} and are those of {account} from now on")
    return 0


def _rename_client(services: "Services", old: str, new: str, *, yes: bool) -> int:
    if old in (client.client_id for client in services.settings.clients):
        raise Refused(f"{old} is configured: take it out of the settings, and name its account for {new}")
    _chosen(services.settings, new)
    account = services.settings.client(new).broker_account
    if not yes and not _confirmed(f"move the orders and holdings of {old} at {account} to {new}?"):
        print("nothing was changed")
        return 1
    orders, holdings = move_rows(
        services.store,
        old,
        new,
        account,
        without_users=[name for name, broker in BROKERS.items() if not broker.knows_users],
        clock=services.clock,
        by=operator_name(),
    )
    print(f"{orders} orders and {holdings} holdings of {old} are those of {new} from now on")
    return 0


def migrate_database(options: argparse.Namespace) -> int:
    """Make orders.db or bring it to this program's schema."""
    path = _settings().orders_db
    open_database(path).migrate()
    print(f"{path.absolute()} is up to date")
    return 0


def doctor(options: argparse.Namespace) -> int:
    """Say what works, what does not, and what to do about it."""
    findings = list(findings_of_everything())
    if options.json:
        _print_json([asdict(finding) for finding in findings])
    else:
        for f in findings:
            print(f"{f.health:<6}{f.name:<20}{f.text}" + (f"\n{'':26}→ {f.advice}" if f.advice else ""))
    return 1 if any(f.health is Health.FAIL for f in findings) else 0


# shared -----------------------------------------------------------------------------------------------------


def _services() -> "Services":
    # Imported here, so that queries and `verify` do not load the web server's modules.
    from app.container import build_services

    settings = _settings()
    _existing(settings)
    return build_services(settings)


def _settings() -> Settings:
    """Load the settings. A command generates no secrets, because no service would use them."""
    return load_settings(keep_secrets=False)


def _database() -> Database:
    return _existing(_settings())


def _existing(settings: Settings) -> Database:
    """orders.db. Raises Refused when there is none: a wrong directory must not become an installation."""
    database = open_database(settings.orders_db)
    if not database.exists():
        raise Refused(
            f"no database at {settings.orders_db.absolute()}: start the service, or type this where it runs: "
            "there its .env is read, which names its clients too"
        )
    return database


def _chosen(settings: Settings, client_id: str | None) -> list[str]:
    """The named client, or all clients when none is named.

    Raises:
        NotFound: there is no such client.
    """
    known = [client.client_id for client in settings.clients]
    if client_id is not None and client_id not in known:
        raise NotFound(f"no client {client_id!r}; there is {', '.join(known)}")
    return known if client_id is None else [client_id]


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


_COMMANDS = {
    "orders": orders,
    "show": show,
    "alert": alert,
    "replay": replay,
    "halt": halt,
    "resume": resume,
    "state": set_state,
    "lift": lift_latch,
    "resolve": resolve,
    "cancel": cancel,
    "adopt": adopt,
    "flatten": flatten,
    "instruments": instruments,
    "verify": verify_database,
    "archive": archive_orders,
    "rebind": rebind_client,
    "migrate": migrate_database,
    "backup": backup_database,
    "restore": restore_database,
    "doctor": doctor,
}


if __name__ == "__main__":
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)  # stopped during a write it would block every exit
    raise SystemExit(main())
