"""Protect what entries bring: open their protections, ask for the exits that fire, and carry out a person's changes.

A protection and the exit that it asks for are written in one transaction. The exit's row is found by the intent of the
protection's generation, which is UNIQUE: whoever fires it a second time, after a crash or beside another watcher, finds
the exit that is there.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.enums import ExecutionType
from domain.errors import InvalidProtection, NotFound
from domain.exit_chase import ends_of
from domain.further_terms import further_text
from domain.ids import exit_id
from domain.leg_groups import LegGroup
from domain.limits import ClientPolicy
from domain.money import decimal_text
from domain.order import Order
from domain.ports import Transaction
from domain.protection import Protection, Rule, Step, ended, protection_of, stepped
from domain.protection_changes import cancelled, tightened
from domain.protection_levels import met
from domain.protection_messages import clears_unknown, notices_of
from domain.protection_terms import Terms, is_protected
from domain.states import Status
from domain.times import time_text
from use_cases.asked_exits import market_exit
from use_cases.end_combined import cancel_combined, group_named
from use_cases.register_order import register_judged


def terms_of(protection: Terms | None, at: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Return the columns of an order that carry its protection.

    Args:
        at: when the alert was received; a clock time is one of that day, in the zone.
    """
    if protection is None:
        return {}
    simple = ("stop_loss", "target", "trailing_type", "trailing_value", "trail_when")
    columns = {name: getattr(protection, name) for name in simple}
    exit_at = None if protection.exit_at is None else _instant(protection.exit_at, at, zone)
    return columns | {"protection_json": further_text(protection, exit_at)}


def _instant(clock: str, at: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(at.astimezone(zone).date(), time.fromisoformat(clock), zone).astimezone(UTC)


def open_protections(tx: Transaction, legs: Sequence[Order]) -> None:
    """Open the protection of each entry that brings one and that no rule has stopped."""
    for leg in legs:
        is_entry = leg.execution_type is ExecutionType.ENTRY and leg.test_mode is None
        if is_entry and leg.status is Status.CREATED and is_protected(leg):
            tx.add_protection(*protection_of(leg))


def carry_out(
    tx: Transaction, step: Step, policy: ClientPolicy, *, now: datetime, actor: str
) -> Order | None:
    """Write a step of a protection, ask for its exit, and notify people; returns the exit.

    Raises:
        ConcurrentUpdate: somebody else moved the protection; nothing may be kept.
    """
    exit_ = None
    if step.exit is not None and _was_closed(tx, step.before):
        step = stepped(step.before, *ended(step.before, "NOTHING_HELD", now), now)
    if step.exit is not None:
        exit_ = _ask(tx, step, policy, now=now, actor=actor)
        step = step.with_exit(exit_.command_id)
    after = tx.move_protection(step)
    entry = tx.get(after.command_id)
    for key, notice in notices_of(step, entry, exit_):
        if key is None:
            tx.notify(notice)
        else:
            tx.notify_once(key, notice)
    key = clears_unknown(step)
    if key is not None:
        tx.clear_notice(after.client_id, key)
    return exit_


def _was_closed(tx: Transaction, p: Protection) -> bool:
    """Return True where an alert's exit of everything has closed what the entry brought.

    What the strategy holds there by now is another entry's. What this one still fills is a part of that exit.
    """
    entry = tx.get(p.command_id)
    return entry is not None and any(
        all(each.status is Status.EXECUTED for each in ends_of(exit_, tx.parts(exit_.command_id)))
        and exit_.alert_id
        != exit_.command_id  # an exit that the program or a person asked for bears its own id
        and exit_.side is entry.side.opposite
        and exit_.requested_product in (None, entry.product)
        for exit_ in tx.full_exits_after(entry)
    )


def _ask(tx: Transaction, step: Step, policy: ClientPolicy, *, now: datetime, actor: str) -> Order:
    """Register the exit at market; the row of an exit that was asked for already is returned."""
    p, wanted = step.before, step.exit
    assert wanted is not None
    product = "" if wanted.quantity is None else p.product
    command_id = exit_id(wanted.intent, step.after.fired_at or now)
    order = market_exit(
        wanted.intent,
        command_id,
        client_id=p.client_id,
        strategy_name=p.strategy_name,
        exchange=p.exchange,
        symbol=p.symbol,
        side=wanted.side,
        units=wanted.quantity,
        product=product,
        at=now,
        requested_side=wanted.side,
        requested_product=product or None,
    )
    return tx.get(command_id) or register_judged(tx, order, wanted.intent, None, policy=policy, actor=actor)


def cancel_protection(
    tx: Transaction, protection_id: str, *, by: str, reason: str, now: datetime
) -> Protection | LegGroup:
    """End a protection at a person's request, or by a group's id what protects that group as a whole.

    Raises:
        NotFound: there is no such protection or group.
        InvalidProtection: it is over, or the reason is blank.
    """
    if not reason.strip():
        raise InvalidProtection("reason", "expected why the position is to go on without it")
    group = group_named(tx, protection_id)
    if group is not None:
        return cancel_combined(tx, group, by=by, reason=reason, now=now)
    step = cancelled(_existing(tx, protection_id), by=by, reason=reason, now=now)
    key = clears_unknown(step)
    if key is not None:
        tx.clear_notice(step.after.client_id, key)
    return tx.move_protection(step)


def tighten_protection(
    tx: Transaction,
    protection_id: str,
    *,
    stop: Decimal | None,
    target: Decimal | None,
    by: str,
    now: datetime,
    is_confirmed: bool = False,
) -> Protection:
    """Set a tighter stop, or another target, at a person's request.

    Args:
        is_confirmed: it may be met by the last price, so that it sells at once.

    Raises:
        NotFound: there is no such protection.
        InvalidProtection: it is over, the stop would not be tighter, or the last price meets it unconfirmed.
    """
    found = _existing(tx, protection_id)
    step = tightened(found, stop=stop, target=target, by=by, now=now)
    if not is_confirmed:
        _require_unmet(tx, step.after)
    return tx.move_protection(step)


def _require_unmet(tx: Transaction, p: Protection) -> None:
    """Raise InvalidProtection where the last price that is known meets a level already: a slip of the hand."""
    for mark in tx.marks(p.client_id):
        if (mark.exchange, mark.symbol) != (p.exchange, p.symbol):
            continue
        rule = met(p, mark.price)
        if rule is not None:
            field = "target_price" if rule is Rule.TARGET else "stop_price"
            last = f"{decimal_text(mark.price)} (seen at {time_text(mark.at)}, source {mark.source})"
            raise InvalidProtection(
                field,
                f"expected one that the last price {last} does not meet, or confirm: true to exit at once",
            )


def _existing(tx: Transaction, protection_id: str) -> Protection:
    found = tx.protection(protection_id)
    if found is None:
        raise NotFound(f"no protection {protection_id}")
    return found
