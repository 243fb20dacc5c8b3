"""Start: read the settings, prepare the database, refuse what must not start, and print what a user needs to know."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from alerts.auth import Secrets, SignatureRules, StrategySecret
from alerts.formats.registry import dialects_with
from alerts.preview import Previewer, Secrecy
from alerts.replaying import Replayer
from app.container import Services, build_services
from app.instruments import prepare_of
from app.kept_prices import NoPrices, PreviewReads, PricesWhenAsked, would_cancel
from app.settings import load_settings
from app.startup_banner import StartupBanner, Trading
from app.supervisor import EXIT_REPLACED
from app.system import SystemClock
from blockers.instruments import unfit
from config.settings import Settings, SettingsError
from domain.alert import ParsedAlert
from domain.enums import LegKind
from domain.errors import StoreReplaced, StoreUnavailable
from domain.notices import Notice, NoticeKind
from domain.ports import Transaction
from domain.reason_codes import Reason, tag_of
from observability.logs import configure_logging
from persistence.database import open_database
from persistence.errors import DatabaseTooNew, FileLocked

log = logging.getLogger(__name__)

EXIT_SETTINGS = 2
EXIT_UNAVAILABLE = 75  # EX_TEMPFAIL: orders.db cannot be written at present
SLOWEST_STALL = 6.0  # seconds; up to this value exits wait at most 15 s for a watcher that hangs


def read_settings() -> Settings:
    """Load the settings, or end the process with one clear line for each error in them."""
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"Orderwatch cannot start with these settings:\n{error}", file=sys.stderr)
        raise SystemExit(EXIT_SETTINGS) from None
    configure_logging(settings.log_level, settings.log_format)
    return settings


def prepared(settings: Settings, *, supervised: bool) -> Services:
    """Build the services of this process, or end it with one clear line.

    A supervised process does not migrate the database, because the process that started it has done so.
    """
    try:
        if not supervised:
            services = build_services(settings)
            refuse_exits_off(services)
            return services
        open_database(settings.orders_db).check_identity()
    except (StoreReplaced, DatabaseTooNew, FileLocked) as error:
        print(f"Orderwatch cannot start: {error}", file=sys.stderr)
        raise SystemExit(EXIT_REPLACED) from None
    except (StoreUnavailable, OSError) as error:  # the supervisor retries: there may be room on the disk then
        print(f"Orderwatch cannot start now: {error}", file=sys.stderr)
        raise SystemExit(EXIT_UNAVAILABLE) from None
    return Services(settings, SystemClock(), instance=str(os.getppid()))


def _exits_off(services: Services) -> dict[str, str]:
    """The clients whose exits are not sent although they have something open at a real broker, and what is open."""
    dry = [c.client_id for c in services.settings.clients if c.exits_are_off]
    found = services.views.exposed() if dry else {}
    return {client: found[client] for client in dry if client in found}


def refuse_exits_off(services: Services) -> None:
    """Refuse to start with live trading off while something is held, unless a second setting confirms it.

    Without live trading the exits are not sent either.
    """
    refused = False
    for client_id, held in _exits_off(services).items():
        if services.settings.client(client_id).live_trading_off_with_positions:
            continue
        refused = True
        print(
            f"Orderwatch cannot start: LIVE_TRADING is false for {client_id}, which has open: {held}. Its exits would "
            "not be sent either. Set LIVE_TRADING=true; or close it at the broker; or, if it is meant, set "
            "LIVE_TRADING_OFF_WITH_POSITIONS=true as well. `python cli.py halt` stops entries alone.",
            file=sys.stderr,
        )
    if refused:
        raise SystemExit(EXIT_SETTINGS)


def notify_exits_off(services: Services) -> None:
    """Notify, at each start of a watcher, that exits are off, although an operator has confirmed it."""
    for client_id, held in _exits_off(services).items():
        text = f"LIVE_TRADING is false: exits are not sent either, while {client_id} has open: {held}"
        log.critical(text)
        services.store.write(partial(_notify, client_id=client_id, text=text))


def _notify(tx: Transaction, client_id: str, text: str) -> None:
    tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))


def warn_of_slow_stall(settings: Settings) -> None:
    """Warn at the start that exits may wait for longer than 15 s. Such a value dates from when 30 was the default."""
    if settings.watcher_stall_seconds > SLOWEST_STALL:
        log.warning(
            "WATCHER_STALL_SECONDS is %g: for so long and the time of a start no exit and no message goes when a "
            "watcher hangs. It no longer depends on BROKER_DEADLINE_SECONDS: take the line out for 5, or set %g or "
            "less",
            settings.watcher_stall_seconds,
            SLOWEST_STALL,
        )


def print_banner(settings: Settings) -> None:
    """Print what a new user needs: the addresses, the secrets, whose orders are live, and a line to paste."""
    client_id, made_up = settings.client_id, settings.secrets_made_up
    secret = settings.default_client.webhook_secret if _is_made_up(made_up, client_id) else None
    token = settings.console_token if "CONSOLE_TOKEN" in made_up else None
    greeting = StartupBanner(
        f"http://{settings.host}:{settings.port}",
        None if secret is None else secret.get_secret_value(),
        None if token is None else token.get_secret_value(),
        [Trading(c.client_id, c.broker, c.is_real, c.live_trading) for c in settings.clients],
    )
    print(greeting, flush=True)


def _is_made_up(names: Sequence[str], client_id: str) -> bool:
    return not {"WEBHOOK_SECRET", f"WEBHOOK_SECRET.{client_id}"}.isdisjoint(names)


def _kept_prices(settings: Settings) -> PreviewReads:
    """What orders.db knows; nothing is created where there is none."""
    if not open_database(settings.orders_db).exists():
        return NoPrices()
    return Services(settings, SystemClock()).store


def secrets_of(settings: Settings) -> Secrets:
    """The secrets that alerts may carry: those of the clients, and those of strategies."""
    strategies = {}
    for name, secret in settings.strategy_secrets.items():
        shares = settings.alert_defaults.for_strategy(name).clients
        clients = [each.client_id for each in shares] or [settings.client_id]
        strategies[name] = StrategySecret(secret.get_secret_value(), clients[0], frozenset(clients))
    return Secrets(
        {each.client_id: each.webhook_secret.get_secret_value() for each in settings.clients},
        settings.client_id,
        strategies,
        rules=SignatureRules(
            timedelta(seconds=settings.webhook_replay_seconds), settings.webhook_signature_needs_time
        ),
    )


def previewer_of(settings: Settings, reads: Callable[[], PreviewReads] | None = None) -> Previewer:
    """What says what an alert would do; it asks no broker.

    It reads the orders database only for sizes, templates, and entries that would be taken back.

    Args:
        reads: opens what is read of it; None: orders.db, where there is one.
    """
    secrets = secrets_of(settings)
    policies, clock = {each.client_id: each.policy for each in settings.clients}, SystemClock()
    kept = PricesWhenAsked(reads or (lambda: _kept_prices(settings)))
    prepare = prepare_of(settings, kept, policies)

    def resolved(alert: ParsedAlert) -> ParsedAlert:
        return prepare(alert, clock.now())

    def blocks(alert: ParsedAlert) -> list[dict[str, object]]:
        policy = settings.default_client.policy
        is_dry = not policy.live_allowed and alert.test_mode is None
        found: list[dict[str, object]] = []
        for number, leg in enumerate(alert.legs, 1):
            block = unfit(leg)
            if block is not None:
                found.append({"leg": number, "tag": tag_of(block.reason), "message": block.message})
            elif is_dry and leg.kind is not LegKind.CANCEL:
                found.append({"leg": number, "tag": tag_of(Reason.ORDER_BLOCKED_LIVE_TRADING)})
        return found

    return Previewer(
        dialects_with((each.name, each.table) for each in settings.formats),
        settings.alert_defaults,
        client_id=settings.client_id,
        secrecy=Secrecy(secrets.mask, lambda text: getattr(secrets.owner_of(text), "strategy_name", None)),
        resolve=resolved,
        blocks=blocks,
        cancels=partial(would_cancel, kept),
    )


def replayer_of(services: Services) -> Replayer:
    """What registers kept alerts anew for a person."""
    settings = services.settings
    return Replayer(
        services.database.kept_alert,
        services.replay_alert,
        dialects=dialects_with((each.name, each.table) for each in settings.formats),
        defaults=settings.alert_defaults,
        clock=services.clock,
        owners=settings.strategy_secrets,
    )
