"""Give an alert to the strategy whose secret it carries, and to the clients that the strategies file names for it."""

from collections.abc import Callable
from dataclasses import replace

from domain.alert import ParsedAlert
from domain.alert_defaults import AlertDefaultsBook
from domain.errors import InvalidAlert


def owned(alert: ParsedAlert, book: AlertDefaultsBook, mask: Callable[[str], str] = str) -> ParsedAlert:
    """Return the alert as one of the strategy whose secret it carries, whatever strategy it names.

    Args:
        book: that by which it was parsed; without an owner nothing changes.
        mask: hides secrets in a text.
    """
    if book.owner is None or alert.strategy_name == book.owner:
        return alert
    told = f"its secret is that of the strategy {book.owner!r}, so it is that strategy's: it names"
    named = mask(alert.strategy_name)
    return replace(alert, strategy_name=book.owner, repairs=(*alert.repairs, f"{told} {named!r}"))


def shared(
    alert: ParsedAlert, book: AlertDefaultsBook, *, sender: str | None, named: str | None
) -> ParsedAlert:
    """Return the alert with the clients that trade it.

    Args:
        sender: the client whose secret the delivery carries; None in a preview, which asks for none.
        named: the client that the body names. Then it alone trades the alert.

    Raises:
        InvalidAlert: the sender is none of the strategy's clients, whose accounts are not its own to trade.
    """
    shares = book.for_strategy(alert.strategy_name).clients
    if not shares:
        return alert
    clients = [each.client_id for each in shares]
    wanted = named or sender
    if wanted is not None and wanted not in clients:
        message = (
            f"expected a client of the strategy {alert.strategy_name!r}, as config/strategies.toml names them"
        )
        raise InvalidAlert("NOT_ITS_CLIENT", f"{message}, got {wanted!r}", "client_id")
    if named is not None:
        shares = tuple(each for each in shares if each.client_id == named)
    return replace(alert, client_id=shares[0].client_id, shares=shares)
