"""Read the trading accounts: one made from the top-level settings, or several from the clients file."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, InstanceOf, SecretStr

from config.checking import NameOf, Problems, checked, read_toml, tables_in, unknown
from config.fields import (
    BrokerName,
    CallsPerMinute,
    ChatId,
    ClientId,
    Flag,
    HttpUrl,
    MarketOrders,
    Scope,
    Secret,
    SocketUrl,
    Text,
)
from domain.account import BrokerAccount
from domain.limits import ClientPolicy, ExitScope, LimitBook, StrategyBook

_PASSWORD = ("password", "totp_secret", "vendor_code", "api_secret", "imei")
"""All that a login without an access token needs."""


class Account(BaseModel):
    """The settings that may differ between clients, from the top-level settings or a table of the clients file."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    broker: BrokerName = "paper"
    live_trading: Flag = False
    live_trading_off_with_positions: Flag = False
    exit_scope: Scope = ExitScope.OWN
    webhook_secret: Secret | None = None
    telegram_chat_id: ChatId | None = None
    shoonya_api_url: HttpUrl | None = None
    shoonya_user_id: Text | None = None
    shoonya_password: Secret | None = None
    shoonya_totp_secret: Secret | None = None
    shoonya_vendor_code: Text | None = None
    shoonya_api_secret: Secret | None = None
    shoonya_imei: Text | None = None
    shoonya_access_token: Secret | None = None
    shoonya_ws_url: SocketUrl | None = None
    shoonya_calls_per_minute: CallsPerMinute | None = None
    shoonya_market_orders: MarketOrders = "protected"
    flattrade_api_url: HttpUrl | None = None
    flattrade_user_id: Text | None = None
    flattrade_access_token: Secret | None = None
    flattrade_ws_url: SocketUrl | None = None
    flattrade_calls_per_minute: CallsPerMinute | None = None
    flattrade_market_orders: MarketOrders = "protected"
    zebu_api_url: HttpUrl | None = None
    zebu_user_id: Text | None = None
    zebu_password: Secret | None = None
    zebu_totp_secret: Secret | None = None
    zebu_vendor_code: Text | None = None
    zebu_api_secret: Secret | None = None
    zebu_imei: Text | None = None
    zebu_access_token: Secret | None = None
    zebu_ws_url: SocketUrl | None = None
    zebu_calls_per_minute: CallsPerMinute | None = None
    zebu_market_orders: MarketOrders = "protected"

    def of_broker(self, name: str) -> Any:
        """A setting of this account's broker: `user_id` is `zebu_user_id` at zebu. None: not set, or no such one."""
        return getattr(self, f"{self.broker}_{name}", None)


class NorenSettings(BaseModel):
    """An account at a Noren broker: with the access token, or with everything that a login with a password needs."""

    model_config = ConfigDict(frozen=True)

    api_url: str | None  # no slash at its end; None: the broker's public one
    user_id: str
    password: SecretStr | None
    totp_secret: SecretStr | None
    vendor_code: str | None
    api_secret: SecretStr | None
    imei: str | None
    access_token: SecretStr | None
    ws_url: str | None  # None: the book is polled
    calls_per_minute: int | None  # None: what the broker allows, less some for other programs; 0: not counted
    market_orders: MarketOrders  # protected: sent as limit orders; plain: sent unchanged


class ClientSettings(BaseModel):
    """One trading account, complete."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    broker: BrokerName
    live_trading: bool
    live_trading_off_with_positions: bool  # confirms that exits may stay off although something is held
    webhook_secret: SecretStr
    telegram_chat_id: str | None
    noren: NorenSettings | None  # set exactly when the broker is not paper
    limits: InstanceOf[LimitBook]
    strategies: InstanceOf[StrategyBook]

    @property
    def broker_account(self) -> BrokerAccount:
        """The account that the client's rows have to belong to, as its broker's adapter names it."""
        return BrokerAccount(self.broker, self.client_id if self.noren is None else self.noren.user_id)

    @property
    def exits_are_off(self) -> bool:
        """True when nothing is sent to a real broker: then we do not close what is held there either."""
        return self.noren is not None and not self.live_trading

    @property
    def policy(self) -> ClientPolicy:
        """The policy of the client's orders. While live trading is off, none is sent to a real broker."""
        return ClientPolicy(
            client_id=self.client_id,
            limits=self.limits,
            live_allowed=self.broker == "paper" or self.live_trading,
            strategies=self.strategies,
        )


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """An account under its client's id.

    `name_of` returns the operator's name of a setting. `secret_name` is the name of the secret if it is generated.
    """

    client_id: str
    account: Account
    name_of: NameOf
    secret_name: str

    @property
    def is_real(self) -> bool:
        """Whether orders of this account can cost money."""
        return self.account.broker != "paper"

    @property
    def is_live(self) -> bool:
        """Whether orders of this account can cost money and are sent."""
        return self.is_real and self.account.live_trading


def read_accounts(path: Path | None, top: Account, default_id: str, problems: Problems) -> list[NamedAccount]:
    """Read the clients of the file; a missing key defaults to the setting of that name.

    Without a file there is one client, made from the settings.
    """
    if path is None:
        return [NamedAccount(default_id, top, str.upper, "WEBHOOK_SECRET")]
    accounts = []
    file = read_toml(path, problems)
    for name in sorted(file.keys() - {"clients"}):
        problems.add(f"{path} {name}", unknown(name, ["clients"]))
    for client_id, given in tables_in(file.get("clients", {}), path, "clients", problems).items():
        accounts.append(_named(client_id, given, path, top, problems))
    if not accounts:
        problems.add(str(path), "no client in it, expected a table [clients.<id>] for each")
    elif default_id not in [each.client_id for each in accounts]:
        ids = ", ".join(each.client_id for each in accounts)
        problems.add("CLIENT_ID", f"got {default_id!r}, expected one of the clients in {path}: {ids}")
    return accounts


class _Id(BaseModel):
    client_id: ClientId = "default"


def _named(
    client_id: str, given: dict[str, object], path: Path, top: Account, problems: Problems
) -> NamedAccount:
    def name_of(field: str) -> str:
        return f"{path} [clients.{client_id}] {field}"

    checked(_Id, {"client_id": client_id}, problems, lambda _: f"{path} [clients.{client_id}]")
    own = checked(Account, given, problems, name_of)
    account = own.model_copy(update=_values(top) | _values(own))
    return NamedAccount(client_id, account, name_of, f"WEBHOOK_SECRET.{client_id}")


def _values(account: Account) -> dict[str, object]:
    return {name: getattr(account, name) for name in Account.model_fields.keys() & account.model_fields_set}


def check_accounts(accounts: list[NamedAccount], problems: Problems) -> None:
    """Record what is missing from an account, and what two accounts must not share."""
    for each in accounts:
        for field in _missing(each.account):
            broker = each.account.broker
            problems.add(
                each.name_of(field), f"not set, but the client {each.client_id!r} trades at {broker}"
            )
    for one, two in combinations(accounts, 2):
        secret = two.account.webhook_secret
        if secret is not None and secret == one.account.webhook_secret:
            problems.add(
                two.name_of("webhook_secret"),
                f"the same as for the client {one.client_id!r}, expected one secret for each client",
            )
        if _login(one) is not None and _login(two) == _login(one):
            problems.add(
                two.name_of(f"{two.account.broker}_user_id"),
                f"the same account as the client {one.client_id!r}, expected one client for each account",
            )


def _missing(account: Account) -> Iterator[str]:
    """The settings that the account lacks.

    The known public addresses are those for access tokens, so a login with a password needs an address. Shoonya's
    address must always be set.
    """
    if account.broker == "paper":
        return
    needed = ["user_id"]
    if account.of_broker("access_token") is None:
        by_password = f"{account.broker}_password" in Account.model_fields
        needed = ["api_url", *needed, *_PASSWORD] if by_password else [*needed, "access_token"]
    elif account.broker == "shoonya":
        needed = ["api_url", *needed]
    yield from (f"{account.broker}_{name}" for name in needed if account.of_broker(name) is None)


def _login(each: NamedAccount) -> tuple[str, str] | None:
    """Identify the real account; None without a user id. The address does not count: one broker has several."""
    user_id = each.account.of_broker("user_id")
    return None if user_id is None else (each.account.broker, user_id.casefold())


def complete(
    each: NamedAccount, webhook_secret: SecretStr, limits: LimitBook, strategies: StrategyBook
) -> ClientSettings:
    """Build the client's settings from an account that passed `check_accounts`."""
    account = each.account
    noren = None
    if each.is_real:
        noren = NorenSettings.model_validate(
            {name: account.of_broker(name) for name in NorenSettings.model_fields}
        )
    return ClientSettings(
        client_id=each.client_id,
        broker=account.broker,
        live_trading=account.live_trading,
        live_trading_off_with_positions=account.live_trading_off_with_positions,
        webhook_secret=webhook_secret,
        telegram_chat_id=account.telegram_chat_id,
        noren=noren,
        limits=limits,
        strategies=strategies,
    )
