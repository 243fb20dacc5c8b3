"""The operator's copies of orders.db: making one, and putting one in place."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from config.settings import load_settings
from persistence.restoring import backup, restore


def backup_database(options: argparse.Namespace) -> int:
    """Copy orders.db into a file that does not exist yet; the service may run meanwhile."""
    database = load_settings(keep_secrets=False).orders_db
    backup(database, Path(options.file))
    print(
        f"{database.absolute()} is copied to {options.file}; `python cli.py restore {options.file}` takes it back"
    )
    return 0


def restore_database(options: argparse.Namespace) -> int:
    """Put a copy in the place of orders.db. Refused while any process has it open; entries are halted afterwards."""
    from services import build_services  # here, so that other commands need no web server's modules

    settings = load_settings(keep_secrets=False)
    kept = restore(settings.orders_db, Path(options.file), datetime.now(UTC))
    services = build_services(settings)
    for client in settings.clients:
        why = f"{options.file} was restored: compare orders and positions with the broker, then resume"
        services.commands.halt(client.client_id, None, by="cli:restore", reason=why)
    print(f"{settings.orders_db.absolute()} is {options.file} from now on")
    if kept is not None:
        print(f"what was there lies in {kept}")
    print(
        "what came after the copy is not in it: an alert of then would trade again, and orders of then are not known\n"
        "entries are halted: start the service, compare with the broker, then `python cli.py resume`"
    )
    return 0
