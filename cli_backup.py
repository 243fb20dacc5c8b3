"""The operator's maintenance of orders.db: back up, restore, and print what `verify` found."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from app.settings import load_settings
from domain.actors import Actor, ActorKind
from persistence.database import open_database
from persistence.reports import Report


def backup_database(options: argparse.Namespace) -> int:
    """Copy orders.db into a file that does not exist yet; the service may run meanwhile."""
    database = load_settings(keep_secrets=False).orders_db
    open_database(database).backup(Path(options.file))
    print(
        f"{database.absolute()} is copied to {options.file}; `python cli.py restore {options.file}` takes it back"
    )
    return 0


def restore_database(options: argparse.Namespace) -> int:
    """Put a copy in the place of orders.db. Refused while any process has it open; entries are halted afterwards."""
    from app.container import build_services  # here, so that other commands need no web server's modules

    settings = load_settings(keep_secrets=False)
    kept = open_database(settings.orders_db).restore(Path(options.file), datetime.now(UTC))
    services = build_services(settings)
    for client in settings.clients:
        why = f"{options.file} was restored: compare orders and positions with the broker, then resume"
        services.commands.halt(client.client_id, None, by=str(Actor(ActorKind.CLI, "restore")), reason=why)
    print(f"{settings.orders_db.absolute()} is {options.file} from now on")
    if kept is not None:
        print(f"what was there lies in {kept}")
    print(
        "what came after the copy is not in it: orders of then are not known, and an alert of then would trade again "
        "where its order does not stand in the broker's book of today under our tag\n"
        "entries are halted: start the service, compare with the broker, then `python cli.py resume`"
    )
    return 0


def print_verification(report: Report) -> None:
    """Print what `verify` found, line by line."""
    for problem in report.problems:
        print(f"WRONG    {problem.where}: {problem.what}")
    if report.problem_count > len(report.problems):
        print(f"WRONG    and {report.problem_count - len(report.problems)} more")
    for warning in report.warnings:
        print(f"UNSEEN   {warning}")
    print(
        f"checked  {report.orders} orders, {report.events} events, {report.archived} archived orders, "
        f"{report.checkpoints} checkpoints, {report.adoptions} adoptions; "
        f"{report.uncovered} events wait for the next one"
    )
    print(f"head     {report.head or '(no checkpoint yet)'}")
    print(f"result   {'right' if report.exit_code == 0 else f'{report.problem_count} problems'}")
