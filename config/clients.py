"""Read the trading accounts: one made from the top-level settings, or several from the clients file."""

from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel, ConfigDict, InstanceOf, SecretStr, create_model

from config.brokers import AccountSettings, Brokers, KnownBroker, account_fields, part
from config.checking import NameOf, Problems, checked, read_toml, tables_in, unknown
from config.fields import ChatId, ClientId, Flag, Scope, Secret, UserIds
from domain.account import BrokerAccount
from domain.limits import ClientPolicy, ExitScope, LimitBook, StrategyBook


class Account(BaseModel):
    """The settings that may differ between clients, from the top-level settings or a table of the clients file.

    Those of the brokers are added by `account_model`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    broker: str = ""  # `account_model` says which
    live_trading: Flag = False
    live_trading_off_with_positions: Flag = False
    exit_scope: Scope = ExitScope.OWN
    webhook_secret: Secret | None = None
    telegram_chat_id: ChatId | None = None
    telegram_operators: UserIds | None = None  # who may act from the chat


def account_model(brokers: Brokers) -> type[Account]:
    """The model of an account, with the settings of these brokers."""
    return create_model("Account", __base__=Account, **account_fields(brokers))


class ClientSettings(BaseModel):
    """One trading account, complete."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    broker: str
    is_real: bool  # orders can cost money
    live_trading: bool
    live_trading_off_with_positions: bool  # confirms that exits may stay off although something is held
    webhook_secret: SecretStr
    telegram_chat_id: str | None
    telegram_operators: tuple[str, ...]
    account: InstanceOf[AccountSettings]  # the broker's own settings
    limits: InstanceOf[LimitBook]
    strategies: InstanceOf[StrategyBook]

    @property
    def broker_account(self) -> BrokerAccount:
        """The account that the client's rows have to belong to, as its broker's adapter names it."""
        return BrokerAccount(self.broker, self.account.user or self.client_id)

    @property
    def exits_are_off(self) -> bool:
        """True when nothing is sent to a real broker: then we do not close what is held there either."""
        return self.is_real and not self.live_trading

    @property
    def policy(self) -> ClientPolicy:
        """The policy of the client's orders. While live trading is off, none is sent to a real broker."""
        return ClientPolicy(
            client_id=self.client_id,
            limits=self.limits,
            live_allowed=not self.is_real or self.live_trading,
            strategies=self.strategies,
        )


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """An account under its client's id.

    `broker` is the one that it trades at. `name_of` returns the operator's name of a setting. `secret_name` is the name
    of the secret if it is generated.
    """

    client_id: str
    account: Account
    broker: KnownBroker
    name_of: NameOf
    secret_name: str

    @property
    def is_real(self) -> bool:
        """Whether orders of this account can cost money."""
        return self.broker.is_real and not self.own.is_sandbox

    @property
    def is_live(self) -> bool:
        """Whether orders of this account can cost money and are sent."""
        return self.is_real and self.account.live_trading

    @property
    def own(self) -> AccountSettings:
        """The settings of its broker."""
        return part(self.broker.name, self.broker.account, self.account)


def read_accounts(
    path: Path | None, top: Account, default_id: str, brokers: Brokers, problems: Problems
) -> list[NamedAccount]:
    """Read the clients of the file; a missing key defaults to the setting of that name.

    Without a file there is one client, made from the settings.
    """
    if path is None:
        return [NamedAccount(default_id, top, brokers[top.broker], str.upper, "WEBHOOK_SECRET")]
    accounts, model = [], account_model(brokers)
    file = read_toml(path, problems)
    for name in sorted(file.keys() - {"clients"}):
        problems.add(f"{path} {name}", unknown(name, ["clients"]))
    for client_id, given in tables_in(file.get("clients", {}), path, "clients", problems).items():
        account, name_of = _read(client_id, given, path, model, problems)
        account = account.model_copy(update=_values(model, top) | _values(model, account))
        secret_name = f"WEBHOOK_SECRET.{client_id}"
        accounts.append(NamedAccount(client_id, account, brokers[account.broker], name_of, secret_name))
    if not accounts:
        problems.add(str(path), "no client in it, expected a table [clients.<id>] for each")
    elif default_id not in [each.client_id for each in accounts]:
        ids = ", ".join(each.client_id for each in accounts)
        problems.add("CLIENT_ID", f"got {default_id!r}, expected one of the clients in {path}: {ids}")
    return accounts


class _Id(BaseModel):
    client_id: ClientId = "default"


def _read(
    client_id: str, given: dict[str, object], path: Path, model: type[Account], problems: Problems
) -> tuple[Account, NameOf]:
    """Read one table of the clients file; returns also how the operator calls its keys."""

    def name_of(field: str) -> str:
        return f"{path} [clients.{client_id}] {field}"

    checked(_Id, {"client_id": client_id}, problems, lambda _: f"{path} [clients.{client_id}]")
    return checked(model, given, problems, name_of), name_of


def _values(model: type[Account], account: Account) -> dict[str, object]:
    return {name: getattr(account, name) for name in model.model_fields.keys() & account.model_fields_set}


def check_accounts(accounts: list[NamedAccount], problems: Problems) -> None:
    """Record what is missing from an account, and what two accounts must not share."""
    for each in accounts:
        broker = each.broker.name
        for field in each.own.missing():
            why = f"not set, but the client {each.client_id!r} trades at {broker}"
            problems.add(each.name_of(f"{broker}_{field}"), why)
        for field, complaint in each.own.problems():
            problems.add(each.name_of(f"{broker}_{field}"), complaint)
    for one, two in combinations(accounts, 2):
        secret = two.account.webhook_secret
        if secret is not None and secret == one.account.webhook_secret:
            problems.add(
                two.name_of("webhook_secret"),
                f"the same as for the client {one.client_id!r}, expected one secret for each client",
            )
        if _login(one) is not None and _login(two) == _login(one):
            problems.add(
                two.name_of(f"{two.broker.name}_{two.broker.account.user_field}"),
                f"the same account as the client {one.client_id!r}, expected one client for each account",
            )


def _login(each: NamedAccount) -> tuple[str, str] | None:
    """Identify the account at its broker; None without a user. The address does not count: one broker has several."""
    user = each.own.user
    return None if user is None else (each.broker.name, user.casefold())


def complete(
    each: NamedAccount, webhook_secret: SecretStr, limits: LimitBook, strategies: StrategyBook
) -> ClientSettings:
    """Build the client's settings from an account that passed `check_accounts`."""
    account = each.account
    return ClientSettings(
        client_id=each.client_id,
        broker=each.broker.name,
        is_real=each.is_real,
        live_trading=account.live_trading,
        live_trading_off_with_positions=account.live_trading_off_with_positions,
        webhook_secret=webhook_secret,
        telegram_chat_id=account.telegram_chat_id,
        telegram_operators=account.telegram_operators or (),
        account=each.own,
        limits=limits,
        strategies=strategies,
    )
