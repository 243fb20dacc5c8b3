"""Trading accounts: one made of the top-level settings, or several from the clients file."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pydantic import BaseModel, ConfigDict, InstanceOf, SecretStr

from config.checking import NameOf, Problems, checked, read_toml, tables_in, unknown
from config.fields import BrokerName, ChatId, ClientId, Flag, HttpUrl, Secret, SocketUrl, Text
from domain.limits import ClientPolicy, LimitBook


class Account(BaseModel):
    """What may differ from client to client, as the settings or a table of the clients file give it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    broker: BrokerName = "paper"
    live_trading: Flag = False
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


class ShoonyaSettings(BaseModel):
    """A Shoonya account. Either the access token is set, or everything that a login with a password needs."""

    model_config = ConfigDict(frozen=True)

    api_url: str  # no slash at its end
    user_id: str
    password: SecretStr | None
    totp_secret: SecretStr | None
    vendor_code: str | None
    api_secret: SecretStr | None
    imei: str | None
    access_token: SecretStr | None
    ws_url: str | None  # None: the book is polled


class ClientSettings(BaseModel):
    """One trading account, complete."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    broker: BrokerName
    live_trading: bool
    webhook_secret: SecretStr
    telegram_chat_id: str | None
    shoonya: ShoonyaSettings | None  # set exactly when it is the broker
    limits: InstanceOf[LimitBook]

    @property
    def policy(self) -> ClientPolicy:
        """What binds the client's orders: a real broker is sent none while live trading is off."""
        return ClientPolicy(
            client_id=self.client_id,
            limits=self.limits,
            live_allowed=self.broker == "paper" or self.live_trading,
        )


@dataclass(frozen=True, slots=True)
class NamedAccount:
    """An account under its client's id.

    `name_of` is what the operator calls its settings, `secret_name` what its secret is called if made up.
    """

    client_id: str
    account: Account
    name_of: NameOf
    secret_name: str

    @property
    def is_real(self) -> bool:
        """Whether orders of this account can cost money."""
        return self.account.broker != "paper"


def read_accounts(path: Path | None, top: Account, default_id: str, problems: Problems) -> list[NamedAccount]:
    """The clients of the file, each key defaulting to the settings; without a file the one they make."""
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
    """Note what is missing from an account, and what two of them must not share."""
    for each in accounts:
        for field in _missing(each.account):
            problems.add(each.name_of(field), f"not set, but the client {each.client_id!r} trades at shoonya")
    for one, two in combinations(accounts, 2):
        secret = two.account.webhook_secret
        if secret is not None and secret == one.account.webhook_secret:
            problems.add(
                two.name_of("webhook_secret"),
                f"the same as for the client {one.client_id!r}, expected one secret for each client",
            )
        if two.account.broker == one.account.broker == "shoonya" and _login(two) == _login(one):
            problems.add(
                two.name_of("shoonya_user_id"),
                f"the same account as the client {one.client_id!r}, expected one client for each account",
            )


def _missing(account: Account) -> Iterator[str]:
    if account.broker != "shoonya":
        return
    needed = ["shoonya_api_url", "shoonya_user_id"]
    if account.shoonya_access_token is None:
        needed += [
            f"shoonya_{name}" for name in ("password", "totp_secret", "vendor_code", "api_secret", "imei")
        ]
    yield from (field for field in needed if getattr(account, field) is None)


def _login(each: NamedAccount) -> tuple[str | None, str | None]:
    return each.account.shoonya_api_url, each.account.shoonya_user_id


def complete(each: NamedAccount, webhook_secret: SecretStr, limits: LimitBook) -> ClientSettings:
    """The client's settings, of an account that `check_accounts` found nothing wrong with."""
    account = each.account
    shoonya = None
    if account.broker == "shoonya":
        fields = {name: getattr(account, f"shoonya_{name}") for name in ShoonyaSettings.model_fields}
        shoonya = ShoonyaSettings.model_validate(fields)
    return ClientSettings(
        client_id=each.client_id,
        broker=account.broker,
        live_trading=account.live_trading,
        webhook_secret=webhook_secret,
        telegram_chat_id=account.telegram_chat_id,
        shoonya=shoonya,
        limits=limits,
    )
