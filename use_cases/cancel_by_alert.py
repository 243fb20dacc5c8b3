"""Carry out an alert that takes entries back: ask for the cancel of each, as a person would, in one transaction.

Which orders it means is decided by what the store holds at that moment (`domain.cancel_by_alert`). A repeat finds the
cancels under way, and asks for nothing new.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from domain.actors import WEBHOOK, Actor, ActorKind
from domain.alert import ClientShare, ParsedAlert
from domain.cancel_by_alert import CancelResult, EntryCancel, entries_meant
from domain.cancellation import cancel_asked
from domain.errors import ConcurrentUpdate
from domain.limits import ClientPolicy
from domain.notice_keys import NoticeSubject, of_order
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Transaction
from domain.states import Status
from use_cases.leg_groups import after_leg_ended
from use_cases.reject_alert import unknown_client

log = logging.getLogger(__name__)

_ACTOR = str(WEBHOOK)
_PROGRAM = str(Actor(ActorKind.WATCHER))
"""Who blocks the other legs of an entry's alert after it ended: the rule does, not the alert that took it back."""
_OPEN = (Status.CREATED, Status.SENT_TO_BROKER)


class CancelsOfAlert(NamedTuple):
    """What an alert took back. `failed`: clients of several for which that could not be done, and why."""

    cancels: tuple[EntryCancel, ...]
    failed: tuple[tuple[str, Exception], ...] = ()


def cancel_by_alert(
    tx: Transaction, alert: ParsedAlert, alert_id: str, clients: Mapping[str, ClientPolicy], *, at: datetime
) -> CancelsOfAlert:
    """Ask for the cancel of all entries that the alert means, of each of its clients.

    One client's error stops no other.

    Raises:
        InvalidAlert: the alert has one client, or several of which none can be served.
    """
    shares = alert.shares or (ClientShare(alert.client_id),)
    done: list[EntryCancel] = []
    failed: list[tuple[str, Exception]] = []
    for share in shares:
        work = partial(_of_client, tx, alert, share, alert_id, clients, at)
        found = tx.attempt(work) if alert.shares else work()
        if isinstance(found, Exception):
            log.error("alert %s: cancels of client %s", alert_id, share.client_id, exc_info=found)
            failed.append((share.client_id, found))
        else:
            done += found
    if len(failed) == len(shares):
        raise failed[0][1]
    return CancelsOfAlert(tuple(done), tuple(failed))


def _of_client(
    tx: Transaction,
    alert: ParsedAlert,
    share: ClientShare,
    alert_id: str,
    clients: Mapping[str, ClientPolicy],
    at: datetime,
) -> list[EntryCancel]:
    policy = clients.get(share.client_id)
    if policy is None:
        raise unknown_client(share.client_id)
    orders = tx.open_entries(share.client_id, alert.strategy_name)
    legs = share.legs or alert.legs
    return [
        _cancel(tx, order, policy, alert_id, at)
        for order in entries_meant(legs, orders, is_test=alert.test_mode is not None)
    ]


def _cancel(tx: Transaction, order: Order, policy: ClientPolicy, alert_id: str, at: datetime) -> EntryCancel:
    current = tx.get(order.command_id) or order  # the end of the entry before it may have ended this one
    if current.status not in _OPEN:
        return EntryCancel(current, CancelResult.ENDED)
    try:
        change = cancel_asked(current, at=at, actor=_ACTOR, reason=f"alert {alert_id}")
    except ConcurrentUpdate as error:
        _tell(tx, current, alert_id, error)
        return EntryCancel(current, CancelResult.NOT_NOW, str(error))
    if change is None:
        return EntryCancel(current, CancelResult.ASKED_BEFORE)
    after = tx.apply(change)
    after_leg_ended(tx, policy, current, after, now=at, actor=_PROGRAM)
    return EntryCancel(after, CancelResult.ENDED if after.status is Status.FAILED else CancelResult.ASKED)


def _tell(tx: Transaction, order: Order, alert_id: str, error: ConcurrentUpdate) -> None:
    """Notify a person of an entry that may be live, that its strategy wants back, and that cannot be cancelled."""
    log.error("alert %s cannot cancel: %s", alert_id, error)
    text = (
        f"alert {alert_id} takes this entry back, and that cannot be done now: {error}. It may rest at the broker or "
        "be filled. Cancel it on its page as soon as that is possible, or send the alert again"
    )
    place = (order, order.alert_id, order.symbol)
    key = of_order(NoticeSubject.CANCEL_NOT_ASKED, order.command_id, alert_id)
    tx.notify_once(key, Notice(NoticeKind.SYSTEM, order.client_id, *place, text))
