"""The settings: every name, its default and its allowed values."""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, InstanceOf, SecretStr, create_model

from config.brokers import Brokers, SharedSettings, account_fields, shared_fields
from config.clients import Account, ClientSettings
from config.door import Addresses, HeaderName, SendersText
from config.fields import (
    Action,
    After,
    Age,
    Amount,
    ClientId,
    ClockTime,
    CollarPercent,
    Count,
    Database,
    DrawdownDays,
    File,
    Flag,
    Folder,
    HeartbeatUrl,
    Host,
    HttpUrl,
    LogFormat,
    LogLevel,
    LosingDays,
    Minutes,
    Names,
    Percent,
    Port,
    ReportBuilder,
    Scope,
    Secret,
    Share,
    TimeZone,
    seconds,
    whole,
)
from config.formats import FormatFile
from domain.alert_defaults import NO_DEFAULTS, AlertDefaultsBook
from domain.limits import CooldownAfter, ExitScope, LimitAction
from domain.senders import ANYBODY, SendersBook


class Service(BaseModel):
    """The settings that the whole service shares. The name of a setting is its field's name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    host: Host = "127.0.0.1"
    port: Port = 8000
    client_id: ClientId = "default"  # the client of alerts that name none
    orders_db: Database = Path("data/orders.db")
    trading_timezone: TimeZone = ZoneInfo("Asia/Kolkata")
    trading_day_starts: ClockTime = time(6)  # in that time zone

    web_workers: Annotated[int, whole(1, 64)] = 2  # processes
    web_threads: Annotated[int, whole(1, 256)] = 8  # in each of them
    webhook_max_bytes: Annotated[int, whole(1024, 16_777_216, "a number of bytes")] = 262_144
    webhook_rate_per_second: Annotated[int, whole(0, 1_000_000)] = 1000  # per sender and process; 0: no limit
    webhook_auth_failures_per_minute: Count = 60  # per sender and process
    trusted_proxies: Annotated[int, whole(0, 10)] = 0  # reverse proxies that set X-Forwarded-For
    trusted_proxy_addresses: Addresses | None = None  # from which the nearest one connects; None: from any
    webhook_certificate_header: HeaderName | None = None  # in which it passes a certificate's subject
    webhook_senders: SendersText | None = None  # who may send alerts; None: whoever has the secret
    webhook_replay_seconds: Annotated[float, seconds(1, 3600)] = 45.0  # of signatures with a time
    webhook_signature_needs_time: Flag = False

    max_alert_age_seconds: Age = 300.0  # an entry not submitted by then is not sent any more
    dedup_window_seconds: Annotated[float, seconds(0, 86_400)] = 60.0  # 0: off

    watcher_poll_seconds: Annotated[float, seconds(0.01, 60)] = 1.0
    watcher_concurrency: Annotated[int, whole(1, 64)] = 4  # broker calls in parallel, per client
    watcher_stall_seconds: Annotated[float, seconds(0.1, 3600)] = 5.0
    broker_deadline_seconds: Annotated[float, seconds(0.1, 300)] = 15.0
    equity_max_age_seconds: Age = 300.0  # an equity that was read longer ago sizes no entry
    positions_refresh_seconds: Annotated[float, seconds(0.1, 3600)] = 2.0
    exit_hold_seconds: Annotated[float, seconds(0, 3600)] = 10.0
    exit_dispute_seconds: Annotated[float, seconds(0, 3600)] = 30.0
    exit_reprice_seconds: Annotated[float, seconds(0, 3600)] = 5.0  # 0: a resting exit is never priced anew
    exit_reprice_most: Annotated[int, whole(0, 1000)] = 10  # times, of one exit
    exit_worst_percent: Percent = Decimal(10)  # from the last price at an exit's first sending
    acceptance_horizon_seconds: Annotated[float, seconds(0, 3600)] = 180.0  # of real brokers

    # How far beyond the market the limit prices lie of the limit orders that replace market orders.
    market_protection_percent: Percent = Decimal(3)

    telegram_bot_token: Secret | None = None
    telegram_api_url: HttpUrl = "https://api.telegram.org"
    console_url: HttpUrl | None = None
    telegram_commands: Flag = True  # False: what is said in a chat is not heard

    instruments_dir: Folder | None = (
        None  # the brokers' lists of instruments; None: symbols are traded as they come
    )

    heartbeat_url: HeartbeatUrl | None = None  # asked once a minute while every loop is healthy

    archive_after_days: Annotated[int, whole(1, 36_500, "days")] | None = None  # None: never
    log_level: LogLevel = "INFO"
    log_format: LogFormat = "text"

    @property
    def secrets_file(self) -> Path:
        """Where generated secrets are stored."""
        return self.orders_db.with_name("secrets.json")


class Environment(Service, Account):
    """All settings as the environment and `.env` give them, each checked by itself.

    Those of the brokers are added by `environment_model`.
    """

    console_token: Secret | None = None
    limits_file: File = Path("config/limits.toml")
    clients_file: File = Path("config/clients.toml")
    strategies_file: File = Path("config/strategies.toml")
    formats_dir: Folder = Path("config/formats")

    settling_seconds: ReportBuilder = 3.0

    risk_max_daily_loss: Amount | None = None
    risk_max_daily_profit: Amount | None = None
    risk_on_daily_loss: Action = LimitAction.BLOCK
    risk_on_daily_profit: Action = LimitAction.BLOCK
    risk_flatten_scope: Scope = ExitScope.OWN
    risk_trailing_loss: Amount | None = None
    risk_trail_step: Amount | None = None
    risk_warn_at: Share = Decimal("0.8")
    risk_pnl_tolerance: Amount = Decimal(500)
    risk_max_trades_per_day: Count | None = None
    risk_max_open_positions: Count | None = None
    risk_max_gross_exposure: Amount | None = None
    risk_max_net_exposure: Amount | None = None
    risk_cooldown_minutes: Minutes | None = None
    risk_cooldown_after: After = CooldownAfter.ANY
    risk_stop_streak: Count | None = None
    risk_stop_streak_minutes: Minutes = Decimal(60)
    risk_stop_streak_pause_minutes: Minutes = Decimal(30)
    risk_max_order_quantity: Amount | None = None
    risk_max_order_value: Amount | None = None
    risk_max_orders_per_minute: Count | None = None
    risk_max_open_orders: Count | None = None
    risk_max_losing_days: LosingDays | None = None
    risk_max_drawdown: Amount | None = None
    risk_drawdown_days: DrawdownDays = 30
    risk_price_collar_percent: CollarPercent | None = None
    risk_restricted_symbols: Names | None = None
    risk_products: Names | None = None
    risk_reducing_from: ClockTime | None = None
    risk_halted_from: ClockTime | None = None
    guard_max_entries: Count = 1
    positions_max_age_seconds: Age = 60.0


def environment_model(brokers: Brokers) -> type[Environment]:
    """The model of all settings, those of these brokers included."""
    fields = account_fields(brokers) | shared_fields(brokers)
    return create_model("Environment", __base__=Environment, **fields)


class Settings(Service):
    """The settings of a run, complete and consistent."""

    console_token: SecretStr
    shared: Mapping[str, InstanceOf[SharedSettings]]  # by broker
    clients: tuple[ClientSettings, ...]
    alert_defaults: InstanceOf[AlertDefaultsBook] = NO_DEFAULTS  # what the strategies file adds to alerts
    formats: tuple[InstanceOf[FormatFile], ...] = ()  # the user's own dialects, not looked into yet
    senders: InstanceOf[SendersBook] = ANYBODY  # who may send each strategy's alerts
    strategy_secrets: Mapping[str, SecretStr] = {}  # by strategy, of those that have one of their own
    secrets_made_up: tuple[str, ...]  # the names of those that were generated; see `secrets_file`

    @property
    def default_client(self) -> ClientSettings:
        """The client of alerts that name none."""
        return self.client(self.client_id)

    def client(self, client_id: str) -> ClientSettings:
        """The client of this id.

        Raises:
            KeyError: there is none.
        """
        for client in self.clients:
            if client.client_id == client_id:
                return client
        raise KeyError(client_id)
