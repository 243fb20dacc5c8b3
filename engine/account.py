"""Whose rows these are: a client whose broker or account is another than its rows tell of is not served.

Its holdings and open orders would be taken for those of an account that never had them: an exit would sell somebody
else's position, an order that this broker never saw would be proven absent. So nothing is sent to such an account,
exits neither, and nothing of it is kept.

Remembered is the first account whose book or positions could be read, in one transaction, so that of two watchers that
begin at once with different settings only one is served. A login that failed is not remembered: it may be mistyped.
Each claim compares again in its own transaction, since an operator may rebind the client under a running watcher.
"""

import logging
from collections.abc import Callable
from functools import partial

from domain.account import BrokerAccount, not_served
from domain.errors import ConcurrentUpdate, NotFound
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Store, Transaction
from engine.seat import Seat

log = logging.getLogger(__name__)


class AccountCheck:
    """Compares each client's account with the one its rows tell of; safe to call from several threads.

    `on_refused` is called with a client that is not served, each time that is found.
    """

    def __init__(self, store: Store, *, on_refused: Callable[[str], None] = lambda client_id: None) -> None:
        self._store = store
        self._on_refused = on_refused
        self._refused: dict[str, str] = {}
        self._told: dict[str, str] = {}
        self._confirmed: set[str] = set()

    def refused(self, client_id: str) -> str | None:
        """Why the client is not served, as last found out; None: it is, or nothing is known yet."""
        return self._refused.get(client_id)

    def may_look(self, seat: Seat) -> bool:
        """True unless the rows are known to be another account's, which is then told, once.

        Raises:
            StoreUnavailable: it is not known, or could not be told.
        """
        mine = _account_of(seat)
        return mine is None or self._judge(seat, mine, self._store.account(seat.client_id))

    def saw(self, seat: Seat) -> bool:
        """A read of the account succeeded: it is remembered if none was. True when what was read may be used.

        Raises:
            StoreUnavailable: it could not be remembered.
        """
        mine = _account_of(seat)
        if mine is None:
            return True
        client_id = seat.client_id
        standing = self._store.account(client_id) if client_id in self._confirmed else None
        if standing is None:
            standing = self._store.write(partial(_confirm, client_id=client_id, mine=mine))
            self._confirmed.add(client_id)
        return self._judge(seat, mine, standing)

    def require(self, tx: Transaction, seat: Seat, order: Order) -> None:
        """To be asked in the transaction that claims an order, after the account was read.

        Raises:
            ConcurrentUpdate: the rows are another account's; nothing may be sent.
        """
        mine = _account_of(seat)
        if mine is None or order.test_mode is not None:
            return
        standing = tx.account(seat.client_id) or tx.bind_account(seat.client_id, mine)
        if standing != mine:
            raise ConcurrentUpdate(self._refuse(seat.client_id, standing, mine))

    def _judge(self, seat: Seat, mine: BrokerAccount, standing: BrokerAccount | None) -> bool:
        client_id = seat.client_id
        if standing is None or standing == mine:
            self._refused.pop(client_id, None)
            self._told.pop(client_id, None)
            return True
        text = self._refuse(client_id, standing, mine)
        if self._told.get(client_id) != text:
            log.error("%s", text)
            self._store.write(partial(_tell_refused, client_id=client_id, mine=mine, text=text))
            self._told[client_id] = text
        return False

    def _refuse(self, client_id: str, standing: BrokerAccount, mine: BrokerAccount) -> str:
        text = self._refused[client_id] = not_served(client_id, standing, mine)
        self._on_refused(client_id)
        return text


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


def _confirm(tx: Transaction, client_id: str, mine: BrokerAccount) -> BrokerAccount:
    """What is remembered, which this account becomes if nothing was; the end of a refusal is told."""
    standing = tx.bind_account(client_id, mine)
    if standing == mine and tx.note_refused(client_id, None):
        text = f"{client_id} is served again: its rows and the settings both name {mine}"
        tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))
    return standing


def _tell_refused(tx: Transaction, client_id: str, mine: BrokerAccount, text: str) -> None:
    if tx.note_refused(client_id, mine):
        tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text))


def _account_of(seat: Seat) -> BrokerAccount | None:
    """None where the adapter does not say whose it is: that is never compared."""
    traits = seat.broker.traits
    return BrokerAccount(traits.name, traits.account) if traits.account else None
