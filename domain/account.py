"""The broker account that a client's rows belong to. It is recorded so that no other account is mistaken for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class BrokerAccount:
    """An account at a broker. `user` is the broker's user id, or the client id at a broker without users.

    Equality ignores the letter case of `user`, because brokers accept both.
    """

    broker: str
    user: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BrokerAccount):
            return NotImplemented
        return (self.broker, self.user.casefold()) == (other.broker, other.user.casefold())

    def __hash__(self) -> int:
        return hash((self.broker, self.user.casefold()))

    def __str__(self) -> str:
        return f"{self.user} at {self.broker}"


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """The account that a client's rows belong to, and a conflict with another client.

    `account`: None while no account is recorded. `taken_by`: the other client whose rows belong to the wanted account
    already.
    """

    account: BrokerAccount | None
    taken_by: str | None = None


def not_served(client_id: str, remembered: BrokerAccount, configured: BrokerAccount) -> str:
    """Explain why a client is not served when its rows belong to another account, and the ways out."""
    return (
        f"the rows of {client_id} in this orders.db are those of {remembered}, and the settings name {configured}: "
        f"nothing is sent, exits neither, and nothing is followed or compared. Unless {remembered} was meant: give "
        f"{configured} another ORDERS_DB, or run `python cli.py rebind {client_id}` once no order of {client_id} is "
        "open, which forgets what was held there"
    )


def taken(client_id: str, other: str, account: BrokerAccount) -> str:
    """Explain why a client is not served when another client's rows belong to its account, and the ways out."""
    return (
        f"the settings name {account} for {client_id}, and the rows of {other} in this orders.db are of that account: "
        f"nothing is sent for {client_id}, exits neither, and nothing is followed, for what {other} has open there "
        f"would be taken for nobody's. If {other} was renamed, run `python cli.py rebind {other} {client_id}`, which "
        f"moves its orders and holdings; else give {client_id} another account or another ORDERS_DB"
    )
