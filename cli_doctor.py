"""Collect the doctor's findings: on the settings, on orders.db and the processes that use it, and on the service."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import requests

from app.instruments import brokers_with_lists
from app.settings import load_settings
from cli_posting import base_url
from config.settings import DOTENV, ClientSettings, Settings, SettingsError
from domain.errors import StoreUnavailable
from domain.instruments.instrument import is_stale
from persistence.database import library_version, open_database
from persistence.instruments import open_instruments
from persistence.reports import Expected, Finding, Health


def findings_of_everything() -> Iterator[Finding]:
    """Check everything that can be checked on this machine, and change nothing."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(Health.OK, "python", f"{version}, {library_version()}")
    try:
        settings = load_settings(keep_secrets=False)
    except SettingsError as error:
        problems = str(error).replace("\n", "; ")
        yield Finding(Health.FAIL, "settings", f"{problems} ({_source()})", "see config/example.env")
        return
    clients = "; ".join(map(_trades_at, settings.clients))
    yield Finding(Health.OK, "settings", f"clients: {clients} ({_source()})")
    expected = Expected(
        beat_max_age=timedelta(seconds=settings.watcher_stall_seconds),
        positions_max_age={
            c.client_id: timedelta(seconds=c.limits.default.positions_max_age_seconds)
            for c in settings.clients
        },
        telegram=settings.telegram_bot_token is not None,
        accounts={c.client_id: c.broker_account for c in settings.clients},
        loss_limited=[c.client_id for c in settings.clients if c.limits.always_limits_loss],
        exits_off=[c.client_id for c in settings.clients if c.exits_are_off],
    )
    database = open_database(settings.orders_db)
    yield from database.check_up(datetime.now(UTC), expected)
    yield from _instruments(settings, datetime.now(UTC))
    yield _reachable(base_url(settings), database.identity())


def _source() -> str:
    """Say which `.env` was read: the settings of another directory are those of another installation."""
    path = DOTENV.absolute()
    return (
        f"of {path} and the environment" if path.exists() else f"of the environment; no .env in {path.parent}"
    )


def _trades_at(client: ClientSettings) -> str:
    """`alice at <broker>, live trading off`."""
    off = "" if client.policy.live_allowed else ", live trading off"
    return f"{client.client_id} at {client.broker}{off}"


def _instruments(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Say of when each master is that names are resolved by."""
    today = now.astimezone(settings.trading_timezone).date()
    masters = open_instruments(settings.orders_db)
    advice = "see docs/instruments.md: fetch the lists, then `python cli.py instruments load`"
    for broker in brokers_with_lists(settings):
        name = f"instruments {broker}"
        try:
            master = masters.current(broker)
        except StoreUnavailable as error:
            yield Finding(Health.FAIL, name, str(error), advice)
            continue
        if master is None:
            yield Finding(Health.FAIL, name, "none was loaded", advice)
            continue
        facts = master.facts
        left_out = f", {facts.unreadable} rows cannot be read" if facts.unreadable else ""
        text = f"{facts.rows} of {facts.day}{left_out}"
        if is_stale(facts.day, today):
            yield Finding(Health.FAIL, name, f"{text}: too old, entries at real brokers wait", advice)
        else:
            is_todays = facts.day == today
            yield Finding(Health.OK if is_todays else Health.WARN, name, text, "" if is_todays else advice)


def _reachable(base: str, database: str) -> Finding:
    try:
        answer = requests.get(f"{base}/healthz", timeout=5.0)
    except requests.RequestException:
        advice = "start the service (`python trading_bot.py`), or see HOST and PORT"
        return Finding(Health.FAIL, "webhook", f"{base} does not answer", advice)
    if not answer.ok:
        return Finding(
            Health.FAIL, "webhook", f"{base}/healthz answers {answer.status_code}", "see the service's log"
        )
    writes_to = _database_of(answer)
    if writes_to is None:
        advice = "see what listens there: it does not say which database it writes to"
        return Finding(Health.WARN, "webhook", f"{base} answers, but not as this version does", advice)
    if writes_to != database:
        advice = "end the other one, or set another PORT: alerts that go there are not of this database"
        return Finding(Health.FAIL, "webhook", f"another Orderwatch answers at {base}", advice)
    return Finding(Health.OK, "webhook", f"{base} answers")


def _database_of(answer: requests.Response) -> str | None:
    """The database that the service says it writes to; None when it says nothing about it."""
    try:
        said = answer.json()
    except ValueError:
        return None
    name = said.get("database") if isinstance(said, dict) else None
    return name if isinstance(name, str) and name else None
