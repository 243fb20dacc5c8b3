"""Read all settings of the service. Nothing else in the project reads the environment or `.env`."""

import os
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic import SecretStr

from config.brokers import Brokers, SharedSettings, part
from config.checking import Problems, SettingsError, checked, unknown
from config.clients import (
    ClientSettings,
    NamedAccount,
    check_accounts,
    complete,
    read_accounts,
)
from config.door import STRATEGY_SECRET
from config.door_checks import check_door, senders_of
from config.formats import read_formats
from config.limits import read_limits
from config.model import Environment, Service, Settings, environment_model
from config.secrets_file import ensure_secrets
from config.strategies import read_strategies
from domain.limits import Limits, StrategyPolicy

__all__ = ["DOTENV", "ClientSettings", "Settings", "SettingsError", "read_settings"]

_REAL_POSITIONS = 15.0  # seconds; when the minute's call budget is used up, positions are read every 10 s

# A variable with one of these prefixes, or that of a broker, is meant for us; if it is unknown, it is misspelled.
PREFIXES = (
    "RISK_", "TELEGRAM_", "WATCHER_", "WEBHOOK_", "CONSOLE_",
    "DEDUP_", "POSITIONS_", "ARCHIVE_", "HEARTBEAT_", "GUARD_", "MARKET_PROTECTION",
)  # fmt: skip


DOTENV = Path(".env")


def read_settings(
    brokers: Brokers,
    environ: Mapping[str, str] | None = None,
    *,
    dotenv_path: Path | None = DOTENV,
    keep_secrets: bool = True,
) -> Settings:
    """Read and check all settings; a variable of the environment wins over its line in `.env`.

    Args:
        brokers: those that BROKER can name, with their settings.
        environ: the environment; None for that of this process.
        dotenv_path: the `.env` to read if it exists; None for none.
        keep_secrets: store generated secrets for the next start. Without it nothing is written, and the generated
            secrets are of no use.

    Raises:
        SettingsError: it lists everything that is wrong at once.
    """
    problems = Problems()
    model = environment_model(brokers)
    prefixes = (*PREFIXES, *(f"{name.upper()}_" for name in brokers))
    environ = os.environ if environ is None else environ
    given, variables = _given(model, prefixes, environ, dotenv_path, problems)
    env = checked(model, given, problems, str.upper)
    clients_file = _optional_file(env, "clients_file", problems)
    accounts = read_accounts(clients_file, env, env.client_id, brokers, problems)
    shared = {name: part(name, broker.shared, env) for name, broker in brokers.items()}
    client_ids = [each.client_id for each in accounts]
    books = read_limits(_optional_file(env, "limits_file", problems), _limits(env), client_ids, problems)
    strategies_file = _optional_file(env, "strategies_file", problems)
    strategies = read_strategies(strategies_file, client_ids, problems, variables)
    formats = read_formats(_optional_file(env, "formats_dir", problems), problems)
    check_accounts(accounts, problems)
    _check_together(env, accounts, shared, problems)
    check_door(env, accounts, strategies, problems)
    problems.raise_any()

    settling = timedelta(seconds=env.settling_seconds)
    secrets, made_up = _secrets(env, accounts, keep=keep_secrets)
    return Settings(
        **{name: getattr(env, name) for name in Service.model_fields},
        console_token=secrets["CONSOLE_TOKEN"],
        shared=shared,
        clients=tuple(
            complete(
                each,
                secrets[each.secret_name],
                books[each.client_id],
                strategies.over(StrategyPolicy(each.account.exit_scope, settling=settling)),
            )
            for each in accounts
        ),
        alert_defaults=strategies.alerts,
        formats=formats,
        senders=senders_of(env, strategies),
        strategy_secrets={name: SecretStr(each.value) for name, each in strategies.secrets.items()},
        secrets_made_up=made_up,
    )


def _given(
    model: type[Environment],
    prefixes: tuple[str, ...],
    environ: Mapping[str, str],
    dotenv_path: Path | None,
    problems: Problems,
) -> tuple[dict[str, str], dict[str, str]]:
    """Our settings from `.env` and the environment, which wins: field → value. An empty value counts as not set.

    Also the variables that hold strategies' secrets, by their own names.
    """
    known = {field.upper() for field in model.model_fields}
    file = dict(_dotenv(dotenv_path, problems)) if dotenv_path else {}
    for name in sorted(file.keys() - known):
        if name.startswith(STRATEGY_SECRET):
            continue
        problems.add(f"{dotenv_path}: {name}", unknown(name.upper(), known, "see config/example.env"))
    for name in sorted(environ.keys() - known):
        if name.startswith(prefixes):
            problems.add(name, unknown(name, known, "see config/example.env"))
    given = {
        name: value.strip()
        for source in (file, environ)
        for name, value in source.items()
        if value.strip() and (name in known or name.startswith(STRATEGY_SECRET))
    }
    variables = {name: value for name, value in given.items() if name not in known}
    return {name.lower(): value for name, value in given.items() if name in known}, variables


def _dotenv(path: Path, problems: Problems) -> Iterator[tuple[str, str]]:
    """Yield name and value of each line. Values are taken literally: a `$` in a password means itself."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        problems.add(str(path), f"cannot be read: {error}")
        return
    seen = set()
    for line in parse_stream(StringIO(text)):
        if line.error or (line.key and line.value is None):
            problems.add(f"{path} line {line.original.line}", "expected NAME=value")
        elif line.key in seen:
            problems.add(f"{path} line {line.original.line}", f"{line.key} stands twice, expected it once")
        elif line.key and line.value is not None:
            seen.add(line.key)
            yield line.key, line.value


def _optional_file(env: Environment, field: str, problems: Problems) -> Path | None:
    path: Path = getattr(env, field)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if field in env.model_fields_set:
            problems.add(field.upper(), f"got {str(path)!r}, expected the path of a file that exists")
        return None
    except OSError:
        pass  # it exists; reading it will report what is wrong
    return path


def _limits(env: Environment) -> Limits:
    return Limits(
        max_daily_loss=env.risk_max_daily_loss,
        max_daily_profit=env.risk_max_daily_profit,
        on_daily_loss=env.risk_on_daily_loss,
        on_daily_profit=env.risk_on_daily_profit,
        flatten_scope=env.risk_flatten_scope,
        trailing_loss=env.risk_trailing_loss,
        trail_step=env.risk_trail_step,
        warn_at=env.risk_warn_at,
        pnl_tolerance=env.risk_pnl_tolerance,
        max_trades_per_day=env.risk_max_trades_per_day,
        max_open_positions=env.risk_max_open_positions,
        max_gross_exposure=env.risk_max_gross_exposure,
        max_net_exposure=env.risk_max_net_exposure,
        cooldown_minutes=env.risk_cooldown_minutes,
        cooldown_after=env.risk_cooldown_after,
        stop_streak=env.risk_stop_streak,
        stop_streak_minutes=env.risk_stop_streak_minutes,
        stop_streak_pause_minutes=env.risk_stop_streak_pause_minutes,
        max_order_quantity=env.risk_max_order_quantity,
        max_order_value=env.risk_max_order_value,
        max_orders_per_minute=env.risk_max_orders_per_minute,
        max_open_orders=env.risk_max_open_orders,
        max_losing_days=env.risk_max_losing_days,
        max_drawdown=env.risk_max_drawdown,
        drawdown_days=env.risk_drawdown_days,
        price_collar_percent=env.risk_price_collar_percent,
        restricted_symbols=env.risk_restricted_symbols or (),
        products=env.risk_products,
        reducing_from=env.risk_reducing_from,
        halted_from=env.risk_halted_from,
        max_entries=env.guard_max_entries,
        positions_max_age_seconds=env.positions_max_age_seconds,
    )


def _check_together(
    env: Environment, accounts: list[NamedAccount], shared: Mapping[str, SharedSettings], problems: Problems
) -> None:
    """Record values that are valid alone, but not together with other settings."""
    # Otherwise a watcher would count as stalled, and positions as stale, while everything works as configured.
    for longer, shorter in (
        ("broker_deadline_seconds", "watcher_poll_seconds"),
        ("positions_max_age_seconds", "positions_refresh_seconds"),
    ):
        value, bound = getattr(env, longer), getattr(env, shorter)
        if value <= bound:
            problems.add(longer.upper(), f"got {value:g}, expected more than {shorter.upper()} ({bound:g})")
    if any(each.is_real for each in accounts) and env.positions_max_age_seconds < _REAL_POSITIONS:
        text = f"got {env.positions_max_age_seconds:g}, expected {_REAL_POSITIONS:g} or more: at a real broker they are"
        problems.add("POSITIONS_MAX_AGE_SECONDS", f"{text} read each 5 to 10 s")
    _check_instruments(env, shared, problems)
    for broker, its in shared.items():
        for field, complaint in its.problems(env.orders_db):
            problems.add(f"{broker}_{field}".upper(), complaint)
    for each in accounts:
        if env.telegram_bot_token and not each.account.telegram_chat_id:
            problems.add(each.name_of("telegram_chat_id"), "not set, expected one with TELEGRAM_BOT_TOKEN")
        if each.account.telegram_chat_id and not env.telegram_bot_token:
            problems.add("TELEGRAM_BOT_TOKEN", "not set, expected one with TELEGRAM_CHAT_ID")
    real = next((each for each in accounts if each.is_real), None)
    if real is not None:
        trades = f"the client {real.client_id!r} trades at {real.account.broker}"
        why = f"not set, expected a secret of your own: {trades}"
        if env.console_token is None:
            problems.add("CONSOLE_TOKEN", why)
        for each in accounts:
            if each.account.webhook_secret is None:
                problems.add(each.name_of("webhook_secret"), why)


def _check_instruments(env: Environment, brokers: Collection[str], problems: Problems) -> None:
    """Record what is in INSTRUMENTS_DIR and would have no effect."""
    folder = env.instruments_dir
    if folder is None:
        return
    if not folder.is_dir():
        problems.add("INSTRUMENTS_DIR", f"got {str(folder)!r}, expected the path of a folder that exists")
        return
    try:
        folders = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    except OSError as error:
        problems.add("INSTRUMENTS_DIR", f"cannot be read: {error}")
        return
    for each in folders:
        if each.name not in brokers:
            problems.add("INSTRUMENTS_DIR", f"{each}: {unknown(each.name, brokers, 'a folder of a broker')}")


def _secrets(
    env: Environment, accounts: list[NamedAccount], *, keep: bool
) -> tuple[dict[str, SecretStr], tuple[str, ...]]:
    """The console's token and each client's secret by name, and the names of those that had to be generated."""
    given = {"CONSOLE_TOKEN": env.console_token}
    given |= {each.secret_name: each.account.webhook_secret for each in accounts}
    missing = [name for name, value in given.items() if value is None]
    made_up = ensure_secrets(env.secrets_file, missing, keep=keep) if missing else {}
    return {name: value or SecretStr(made_up[name]) for name, value in given.items()}, tuple(missing)
