"""Bind each client to the broker account that its rows belong to, and do not serve it on any other account.

A client is not served when its broker or account differs from the one that its rows belong to. Otherwise its holdings
and open orders would be applied to an account that never had them:

- an exit would sell somebody else's position;
- an order that this broker never saw would be proven absent.

So nothing is sent to such an account, not even exits, and nothing that is read from it is stored.

The first account whose order book or positions could be read is remembered. That happens in one transaction, so that
of two watchers that start at once with different settings only one is served. An account whose login failed is not
remembered, because it may be mistyped.

The check works the other way round too. An account whose rows already belong to another client id, as after a
renaming, is not served under the new id until `cli.py rebind OLD NEW` has moved the rows.

Each claim compares the accounts again in its own transaction, because an operator may rebind the client while a
watcher is running.
"""

import logging
from collections.abc import Callable, Collection
from functools import partial

from domain.account import AccountStanding, BrokerAccount, not_served, taken
from domain.errors import ConcurrentUpdate, NotFound, OpenOrders
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Clock, Store, Transaction
from engine.client_context import ClientContext

log = logging.getLogger(__name__)

_KEY = NoticeKey(NoticeSubject.REFUSED_ACCOUNT)


class AccountBinding:
    """Compares each client's account with the one that its rows belong to. Safe to call from several threads.

    `on_refused` is called with the id of a client that is not served, each time that is found.
    """

    def __init__(self, store: Store, *, on_refused: Callable[[str], None] = lambda client_id: None) -> None:
        self._store = store
        self._on_refused = on_refused
        self._refused: dict[str, str] = {}
        self._told: dict[str, tuple[BrokerAccount, AccountStanding]] = {}  # saves a write at each poll
        self._confirmed: set[str] = set()

    def refused(self, client_id: str) -> str | None:
        """Return why the client is not served, by the last check. None: it is served, or nothing is known yet."""
        return self._refused.get(client_id)

    def may_look(self, context: ClientContext) -> bool:
        """Return whether the client's account may be read, and notify once when it may not.

        False when the rows are known to belong to another account, or the account to another client.

        Raises:
            StoreUnavailable: the answer is not known, or the notice could not be stored.
        """
        mine = _account_of(context)
        return mine is None or self._judge(
            context, mine, self._store.account_standing(context.client_id, mine)
        )

    def saw(self, context: ClientContext) -> bool:
        """Record that a read of the account succeeded; return True when what was read may be used.

        The account is remembered if none was.

        Raises:
            StoreUnavailable: it could not be remembered.
        """
        mine = _account_of(context)
        if mine is None:
            return True
        client_id = context.client_id
        standing = AccountStanding(None)
        if client_id in self._confirmed:
            standing = self._store.account_standing(client_id, mine)
        if standing.account is None:
            standing = self._store.write(partial(_confirm, client_id=client_id, mine=mine))
            if standing.account is not None and standing.taken_by is None:
                self._confirmed.add(client_id)
        return self._judge(context, mine, standing)

    def require(self, tx: Transaction, context: ClientContext, order: Order) -> None:
        """Check the account in the transaction that claims an order, after the account was read.

        Raises:
            ConcurrentUpdate: the rows belong to another account, or the account to another client; nothing may be sent.
        """
        mine = _account_of(context)
        if mine is None or order.test_mode is not None:
            return
        standing = tx.account_standing(context.client_id, mine)
        text = _why_not(context.client_id, mine, standing)
        if text is not None:
            raise ConcurrentUpdate(self._refuse(context.client_id, text))
        if standing.account is None:
            tx.bind_account(context.client_id, mine)

    def _judge(self, context: ClientContext, mine: BrokerAccount, standing: AccountStanding) -> bool:
        client_id = context.client_id
        text = _why_not(client_id, mine, standing)
        if text is None:
            self._refused.pop(client_id, None)
            self._told.pop(client_id, None)
            return True
        self._refuse(client_id, text)
        if self._told.get(client_id) != (mine, standing):
            log.error("%s", text)
            notice = Notice(NoticeKind.SYSTEM, client_id, detail=text)
            state = (mine.user, mine.broker, standing.taken_by or "")
            self._store.write(lambda tx: tx.notify_once(_KEY, notice, state=state))
            self._told[client_id] = (mine, standing)
        return False

    def _refuse(self, client_id: str, text: str) -> str:
        self._refused[client_id] = text
        self._on_refused(client_id)
        return text


def _why_not(client_id: str, mine: BrokerAccount, standing: AccountStanding) -> str | None:
    """Why the client is not served; None: it is."""
    if standing.account is not None and standing.account != mine:
        return not_served(client_id, standing.account, mine)
    return None if standing.taken_by is None else taken(client_id, standing.taken_by, mine)


def rebind(store: Store, client_id: str, account: BrokerAccount, *, by: str) -> BrokerAccount:
    """Bind a client's rows to another account, and forget what was held, seen and notified at the old one.

    The history of its orders stays. Returns the old account.

    Raises:
        NotFound: there is nothing to rebind.
        OpenOrders: orders of the client have not ended; nothing was changed.
        StoreUnavailable: nothing was changed.
    """

    def work(tx: Transaction) -> BrokerAccount:
        before = tx.account(client_id)
        if before is None:
            raise NotFound(
                f"no watcher has seen an account of {client_id} yet: the next one takes on {account}"
            )
        if before == account:
            raise NotFound(f"the rows of {client_id} are those of {account} already")
        tx.rebind_account(client_id, account)
        now = f"the rows of {client_id} are those of {account} from now on, by {by}"
        text = f"{now}; what was held at {before} is forgotten"
        tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))
        return before

    return store.write(work)


def move_rows(
    store: Store,
    old: str,
    new: str,
    account: BrokerAccount,
    *,
    without_users: Collection[str] = (),
    clock: Clock,
    by: str,
) -> tuple[int, int]:
    """Move the rows of a client that is no longer configured to another client id of the same account.

    Returns how many orders and holdings were moved.

    Args:
        without_users: the brokers that know an account by its client's id alone, so that its rows cannot move.

    Raises:
        NotFound: there is nothing to move, or the two ids are not of one account.
        OpenOrders: a watcher still serves the old client; nothing was changed.
        StoreUnavailable: nothing was changed.
    """

    def work(tx: Transaction) -> tuple[int, int]:
        before, there = tx.account(old), tx.account(new)
        if before is None:
            raise NotFound(f"no watcher has seen an account of {old}: there is nothing to move")
        if before != account:
            raise NotFound(_other_account(old, before, new, account, without_users))
        if there is not None and there != account:
            raise NotFound(_other_account(new, there, new, account, without_users))
        living = [name for name in tx.watchers_of(old) if store.claimant_alive(name)]
        if living:
            raise OpenOrders(
                f"a watcher still serves {old} ({', '.join(living)}) with settings that name it: an answer to one of "
                f"its orders could be lost. End it, start the service with the settings that name {new}, and try again"
            )
        orders, holdings = tx.move_client(old, new, at=clock.now(), actor=by)
        text = f"{orders} orders and {holdings} holdings of {old} are those of {new} from now on, by {by}"
        tx.notify(Notice(NoticeKind.SYSTEM, new, detail=text))
        return orders, holdings

    return store.write(work)


def _other_account(
    rows_of: str, before: BrokerAccount, new: str, account: BrokerAccount, without_users: Collection[str]
) -> str:
    never = (
        f" (the {before.broker} broker knows a client by its id: its rows cannot move)"
        if before.broker in without_users
        else ""
    )
    return (
        f"the rows of {rows_of} are those of {before}, and the settings name {account} for {new}: rows move only "
        f"within one account{never}"
    )


def _confirm(tx: Transaction, client_id: str, mine: BrokerAccount) -> AccountStanding:
    """Bind the account unless one is bound, and return the standing. Notify when that ends a refusal."""
    standing = tx.account_standing(client_id, mine)
    if standing.taken_by is not None:
        return standing
    standing = AccountStanding(tx.bind_account(client_id, mine))
    if standing.account == mine and tx.clear_notice(client_id, _KEY):
        text = f"{client_id} is served again: its rows and the settings both name {mine}"
        tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))
    return standing


def _account_of(context: ClientContext) -> BrokerAccount | None:
    """Return the client's account. None: the adapter does not name it, so it is never compared."""
    traits = context.broker.traits
    return BrokerAccount(traits.name, traits.account) if traits.account else None
