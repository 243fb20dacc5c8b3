"""Whose rows these are: a client whose broker or account is another than its rows tell of is not served.

Its holdings and open orders would be taken for those of an account that never had them: an exit would sell somebody
else's position, an order that this broker never saw would be proven absent. So nothing is sent to such an account,
exits neither, and nothing of it is kept.

Remembered is the first account whose book or positions could be read, in one transaction, so that of two watchers that
begin at once with different settings only one is served. The other way round too: an account whose rows are another
client id's already, as after a renaming, is not served under a new id before `cli.py rebind OLD NEW` has moved them. A
login that failed is not remembered: it may be mistyped. Each claim compares again in its own transaction, since an
operator may rebind the client under a running watcher.
"""

import logging
from collections.abc import Callable
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
    """Compares each client's account with the one its rows tell of; safe to call from several threads.

    `on_refused` is called with a client that is not served, each time that is found.
    """

    def __init__(self, store: Store, *, on_refused: Callable[[str], None] = lambda client_id: None) -> None:
        self._store = store
        self._on_refused = on_refused
        self._refused: dict[str, str] = {}
        self._told: dict[str, tuple[BrokerAccount, AccountStanding]] = {}  # spares a write at each look
        self._confirmed: set[str] = set()

    def refused(self, client_id: str) -> str | None:
        """Why the client is not served, as last found out; None: it is, or nothing is known yet."""
        return self._refused.get(client_id)

    def may_look(self, context: ClientContext) -> bool:
        """True unless the rows are known to be another account's, or the account another client's: told, once.

        Raises:
            StoreUnavailable: it is not known, or could not be told.
        """
        mine = _account_of(context)
        return mine is None or self._judge(
            context, mine, self._store.account_standing(context.client_id, mine)
        )

    def saw(self, context: ClientContext) -> bool:
        """A read of the account succeeded: it is remembered if none was. True when what was read may be used.

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
        """To be asked in the transaction that claims an order, after the account was read.

        Raises:
            ConcurrentUpdate: the rows are another account's, or the account another client's; nothing may be sent.
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
    """Make a client's rows those of another account: what was held, seen and told at the old one is forgotten.

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
    store: Store, old: str, new: str, account: BrokerAccount, *, clock: Clock, by: str
) -> tuple[int, int]:
    """Make the rows of a client that is not configured any more those of another id of the same account.

    Returns how many orders and holdings were moved.

    Raises:
        NotFound: there is nothing to move, or the two are not of one account.
        OpenOrders: a watcher serves the old client still; nothing was changed.
        StoreUnavailable: nothing was changed.
    """

    def work(tx: Transaction) -> tuple[int, int]:
        before, there = tx.account(old), tx.account(new)
        if before is None:
            raise NotFound(f"no watcher has seen an account of {old}: there is nothing to move")
        if before != account:
            raise NotFound(_other_account(old, before, new, account))
        if there is not None and there != account:
            raise NotFound(_other_account(new, there, new, account))
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


def _other_account(rows_of: str, before: BrokerAccount, new: str, account: BrokerAccount) -> str:
    paper = (
        " (the paper broker knows a client by its id: its rows cannot move)"
        if before.broker == "paper"
        else ""
    )
    return (
        f"the rows of {rows_of} are those of {before}, and the settings name {account} for {new}: rows move only "
        f"within one account{paper}"
    )


def _confirm(tx: Transaction, client_id: str, mine: BrokerAccount) -> AccountStanding:
    """What is remembered, which this account becomes if nothing was; the end of a refusal is told."""
    standing = tx.account_standing(client_id, mine)
    if standing.taken_by is not None:
        return standing
    standing = AccountStanding(tx.bind_account(client_id, mine))
    if standing.account == mine and tx.clear_notice(client_id, _KEY):
        text = f"{client_id} is served again: its rows and the settings both name {mine}"
        tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))
    return standing


def _account_of(context: ClientContext) -> BrokerAccount | None:
    """None where the adapter does not say whose it is: that is never compared."""
    traits = context.broker.traits
    return BrokerAccount(traits.name, traits.account) if traits.account else None
