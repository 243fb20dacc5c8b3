"""The operator's commands on instruments: load the published lists, find what a name means, show what is loaded."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from app.instruments import NotLoaded, brokers_with_lists, lists_of, load_lists
from app.settings import load_settings
from broker.registry import BROKERS
from cli_output import Refused, table
from config.settings import Settings
from domain.instruments.instrument import Instrument, MasterFacts, is_stale
from domain.instruments.resolution import Resolution, resolve
from domain.money import optional_text
from domain.reason_codes import tag_of
from persistence.instruments import open_instruments

_COLUMNS = ("exchange", "symbol", "token", "kind", "underlying", "expiry", "strike", "lot", "tick", "freeze")
_MASTER_COLUMNS = ("broker", "day", "loaded_at", "rows", "unreadable", "counts")


def instruments(options: argparse.Namespace) -> int:
    """Load the brokers' lists of instruments, find what a name means, or show what is loaded."""
    actions = {"load": _load, "find": _find, "show": _show}
    return actions[options.action](options, load_settings(keep_secrets=False))


def _load(options: argparse.Namespace, settings: Settings) -> int:
    folder = settings.instruments_dir if options.folder is None else Path(options.folder)
    if folder is None:
        raise Refused("say --folder, or set INSTRUMENTS_DIR to the folder of the brokers' lists")
    if options.broker not in (None, *BROKERS):
        raise Refused(f"no broker {options.broker!r}; there is {', '.join(BROKERS)}")
    store = open_instruments(settings.orders_db)
    for broker in [options.broker] if options.broker else _brokers(settings, folder):
        loaded = load_lists(
            store,
            broker,
            lists_of(folder, broker),
            now=datetime.now(UTC),
            zone=settings.trading_timezone,
            shrunk_too=options.shrunk_too,
        )
        print(_told(loaded))
    return 0


def _brokers(settings: Settings, folder: Path) -> list[str]:
    found = [each for each in {client.broker for client in settings.clients} if lists_of(folder, each)]
    if not found:
        raise NotLoaded(f"no list of a client's broker in {folder}: see docs/instruments.md")
    return sorted(found)


def _told(loaded: MasterFacts) -> str:
    counts = ", ".join(f"{exchange} {rows}" for exchange, rows in sorted(loaded.counts.items()))
    lines = [f"loaded: {loaded.rows} instruments of {loaded.broker}, of {loaded.day} ({counts})"]
    if loaded.unreadable:
        lines += [f"{loaded.unreadable} rows cannot be read and were left out, such as:", *loaded.examples]
    return "\n  ".join(lines)


def _find(options: argparse.Namespace, settings: Settings) -> int:
    client = settings.default_client
    broker = options.broker or client.broker
    master = open_instruments(settings.orders_db).current(broker)
    if master is None:
        raise Refused(f"no master of {broker}: `python cli.py instruments load`")
    if not options.symbol:
        raise Refused("say which name is to be found")
    defaults = settings.alert_defaults.for_strategy(options.strategy or "")
    exchange = options.exchange or defaults.exchange or "NSE"
    today = datetime.now(UTC).astimezone(settings.trading_timezone).date()
    found = resolve(options.symbol, exchange, master, today, roll_days=defaults.roll_days)
    rows = [_row(each) for each in ([found.found] if found.found else found.candidates)]
    if options.json:
        print(json.dumps({"instruments": rows, "refused": _refusal(found), "notes": found.notes}, indent=2))
    else:
        print(table(_COLUMNS, rows) if rows else "no instrument")
        print("\n".join(filter(None, [_refusal(found), *found.notes])))
    return 0 if found.reason is None else 1


def _refusal(found: Resolution) -> str | None:
    return (
        None if found.reason is None else f"{tag_of(found.reason)} {found.reason.with_detail(found.detail)}"
    )


def _row(each: Instrument) -> dict[str, object]:
    return {
        "exchange": each.exchange,
        "symbol": each.symbol,
        "token": each.token,
        "kind": each.kind.value,
        "underlying": each.underlying,
        "expiry": None if each.expiry is None else each.expiry.isoformat(),
        "strike": optional_text(each.strike),
        "lot": optional_text(each.lot),
        "tick": optional_text(each.tick),
        "freeze": optional_text(each.freeze),
    }


def _show(options: argparse.Namespace, settings: Settings) -> int:
    kept = open_instruments(settings.orders_db).masters()
    rows = [
        {
            "broker": each.broker,
            "day": each.day.isoformat(),
            "loaded_at": each.loaded_at.isoformat(timespec="seconds"),
            "rows": each.rows,
            "unreadable": each.unreadable,
            "counts": ", ".join(f"{name} {rows}" for name, rows in sorted(each.counts.items())),
        }
        for each in kept
    ]
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(table(_MASTER_COLUMNS, rows) if rows else "no master was loaded")
    today = datetime.now(UTC).astimezone(settings.trading_timezone).date()
    for broker in brokers_with_lists(settings):
        newest = next((each.day for each in kept if each.broker == broker), None)
        if newest is None or is_stale(newest, today):
            print(f"{broker}: entries wait where orders cost money until newer lists are loaded")
    return 0
