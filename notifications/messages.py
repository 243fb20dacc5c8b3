"""Render a notice as the text that a person reads, in Telegram's HTML.

Rendering is pure and defined for every notice: it runs inside the transaction that records the fact, and must not make
that transaction fail.

The first line says what happened and to what order: side, quantity, symbol. Without the order it stands for the whole
message in a digest. The last line ends with the id.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from shlex import quote

from domain.cancellation import cancel_wish
from domain.enums import ExecutionType, OrderType
from domain.money import decimal_text
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.reason_codes import reason_of, sentence_of, words_of
from domain.states import Phase, Status
from domain.times import parse_time
from domain.transitions import number_given_by
from notifications.markup import safe
from notifications.protection_titles import OF_PROTECTIONS

_FAILURE = "<b>ORDER FAILED</b>"
"""Part of the message of each order that is FAILED: operators search for it."""

Headline = tuple[str, str]
"""The first line as title and subject, in Telegram's HTML."""

_NAME = 80  # room for one name, symbol or number, in units
_TAG = 120
_REASON = 400  # room for a sentence that others wrote

_SAID_BY_PHASE = {
    Phase.CANCELLED: "Order cancelled at the broker",
    Phase.EXPIRED: "Order expired at the broker",
}


def render(notice: Notice) -> str:
    """The message for Telegram (`parse_mode=HTML`), at most 4096 units; every variable part is escaped."""
    order = notice.order
    lines = [" · ".join(part for part in (" | ".join(headline(notice)), traded_first(notice)) if part)]
    if order is None:
        lines += [*_explained_alone(notice), _whom(notice)]
    else:
        if order.status is Status.FAILED and notice.kind not in OF_PROTECTIONS:
            lines.append(_failure(order))
        lines += [*_explained(notice, order), _what(order), _whose(order)]
    return "\n".join(line for line in lines if line)


def resolve_command(command_id: str, outcome: str) -> str:
    """The command that resolves an unknown outcome, to be copied; words in capitals stand for what a person knows."""
    return f"<code>python cli.py resolve {safe(quote(command_id), _NAME)} {safe(outcome, _TAG)}</code>"


def lift_command(notice: Notice) -> str:
    """The command that lifts a daily loss limit."""
    return f'python cli.py lift {safe(quote(notice.client_id), _NAME)} --reason "REASON"'


# The first line -----------------------------------------------------------------------------------------------


def headline(notice: Notice) -> Headline:
    """The two parts of the first line."""
    if notice.order is not None and notice.kind in _OF_AN_ORDER:
        return _OF_AN_ORDER[notice.kind](notice.order)
    title, about = _ALONE.get(notice.kind, (f"ℹ️ {notice.kind}", "symbol"))
    subject = getattr(notice, about) or notice.symbol or notice.detail or notice.client_id
    if notice.kind is NoticeKind.SYSTEM and notice.symbol and notice.detail:
        subject = f"{notice.symbol}: {notice.detail}"
    return title, safe(subject, _REASON)


def traded_first(notice: Notice) -> str:
    """What the first line adds, such as `EXIT SELL 50 NIFTY`, the symbol only where it is not named yet; or nothing."""
    order = notice.order
    if order is None or notice.kind in OF_PROTECTIONS:
        return ""
    units, symbol = traded(order)
    is_named = is_led_by_symbol(notice) or headline(notice)[1] == symbol
    return " ".join([order.execution_type, units, *([] if is_named else [symbol])])


def is_led_by_symbol(notice: Notice) -> bool:
    """Return True of `🔧 System | NIFTY26NOV24500CE: …`, where that is the order's symbol."""
    order = notice.order
    is_its = order is not None and notice.symbol == order.symbol
    return notice.kind is NoticeKind.SYSTEM and is_its and bool(notice.detail)


_ALONE = {
    NoticeKind.ALERT_REJECTED: ("❌ Alert rejected", "detail"),
    NoticeKind.HALTED: ("🛑 Trading halted", "client_id"),
    NoticeKind.RESUMED: ("▶️ Trading resumed", "client_id"),
    NoticeKind.LOSS_LIMIT_HIT: ("🛑 Daily loss limit hit", "client_id"),
    NoticeKind.RISK_LIMIT_HIT: ("🛑 Limit hit", "client_id"),
    NoticeKind.RISK_WARNING: ("⚠️ Near a limit", "client_id"),
    NoticeKind.RISK_UNKNOWN: ("🚨 Profit and loss not known", "client_id"),
    NoticeKind.DAY_SUMMARY: ("📒 The day", "client_id"),
    NoticeKind.STATE_CHANGED: ("🚦 Entries", "client_id"),
    NoticeKind.LOSS_LIMIT_LIFTED: ("▶️ Daily loss limit lifted", "client_id"),
    NoticeKind.SYSTEM: ("🔧 System", "detail"),
    NoticeKind.EXTERNAL_ORDER: ("👀 An order that is not ours", "symbol"),
    NoticeKind.UNREMEMBERED_ORDER: (
        "🚨 An order with this program's tag that its database does not know",
        "symbol",
    ),
    NoticeKind.HOLDING_CLEARED: ("🧹 No longer held", "symbol"),
    NoticeKind.POSITION_DIFFERS: ("🚨 Position differs", "symbol"),
    NoticeKind.EXTERNAL_POSITION: ("👀 A position that is not ours", "symbol"),
    NoticeKind.ADOPTED: ("🤝 Adopted", "symbol"),
    NoticeKind.POSITION_AGREES: ("✅ Position agrees again", "symbol"),
    **OF_PROTECTIONS,
}
"""Title, and the notice's field that says what it is about."""

_WHOM_FIRST = frozenset(kind for kind, (_, about) in _ALONE.items() if about == "client_id")


def _blocked(order: Order) -> Headline:
    words, tag = words_of(order.tag), order.tag or "no reason recorded"
    reason = f"{safe(words, _REASON)} ({safe(tag, _TAG)})" if words else safe(tag, _TAG)
    return f"❌ {reason}", _symbol(order)


def _placed(order: Order) -> Headline:
    return "✅ Order placed", safe(order.broker_order_id or "no id", _NAME)


def _filled(order: Order) -> Headline:
    return "✨ Order filled", f"{_number(order.filled_quantity)} @ {_average(order)}"


def _partly_filled(order: Order) -> Headline:
    return "✨ Partly filled", _fills(order)


def _rejected(order: Order) -> Headline:
    reason = order.reason_message or order.exchange_error_snippet or order.tag or "no reason given"
    return "⚠️ Broker rejected", safe(reason, _REASON)


def _failed(order: Order) -> Headline:
    reason = reason_of(order.tag)
    title = sentence_of(order.tag) if reason is None else reason.what
    title = _SAID_BY_PHASE.get(order.phase) or title or "Order failed"
    return f"⚠️ {safe(title, _REASON)}", _symbol(order)


def _unknown(order: Order) -> Headline:
    return "🚨 Order outcome unknown", _symbol(order)


def _frozen(order: Order) -> Headline:
    return "⏳ At the broker for over an hour", _symbol(order)


def _overfilled(order: Order) -> Headline:
    return "🚨 Overfilled", _fills(order)


def _resurrected(order: Order) -> Headline:
    return "🚨 Order is alive after all", _symbol(order)


_OF_AN_ORDER: dict[NoticeKind, Callable[[Order], Headline]] = {
    NoticeKind.BLOCKED: _blocked,
    NoticeKind.PLACED: _placed,
    NoticeKind.PARTIALLY_FILLED: _partly_filled,
    NoticeKind.FILLED: _filled,
    NoticeKind.REJECTED: _rejected,
    NoticeKind.FAILED: _failed,
    NoticeKind.UNKNOWN: _unknown,
    NoticeKind.FROZEN: _frozen,
    NoticeKind.OVERFILLED: _overfilled,
    NoticeKind.RESURRECTED: _resurrected,
}


# The second line of a failure, and explanations ---------------------------------------------------------------


def _failure(order: Order) -> str:
    """The line of a failure. Searches in `telegram_messages` look for it: it must contain ORDER FAILED, unbroken."""
    blocked = order.phase is Phase.BLOCKED
    parts = ["blocked, never sent" if blocked else safe(order.tag or order.phase, _TAG), _why(order)]
    if order.filled_quantity:
        parts.append(f"{_fills(order)} filled before, and kept")
    return " · ".join([_FAILURE, *(part for part in parts if part)])


def _why(order: Order) -> str:
    """What the reason's message adds to the lines above, mostly figures."""
    if order.phase in (Phase.REFUSED, Phase.REJECTED):
        return ""  # said already
    return safe(_detail(order), _REASON)


def _detail(order: Order) -> str:
    """What the reason's message says beyond its tag; the whole message where that part is not stored separately."""
    return (order.reason_message if order.reason_detail is None else order.reason_detail) or ""


_EXPLAINED_APART = frozenset(
    {
        NoticeKind.UNKNOWN,
        NoticeKind.SYSTEM,
        NoticeKind.FROZEN,
        NoticeKind.OVERFILLED,
        NoticeKind.RESURRECTED,
    }
)
"""Kinds with an explanation of their own; no line names the person who acted."""


def _explained(notice: Notice, order: Order) -> list[str]:
    detail = safe(notice.detail, _REASON)
    if notice.kind in OF_PROTECTIONS:
        return [safe(notice.more, _REASON)]
    if notice.kind is NoticeKind.UNKNOWN:
        return [*_unknown_explained(order), detail]
    if notice.kind is NoticeKind.SYSTEM:
        return []  # the first line says it
    if notice.kind is NoticeKind.FROZEN:
        sent = f"Sent {_time(order.sent_at)}, " if order.sent_at else ""
        return [
            f"{sent}sends: {order.attempts}. {detail[:1].upper()}{detail[1:]}.",
            "It may be meant to wait: look whether it should still be there.",
        ]
    if notice.kind is NoticeKind.OVERFILLED:
        return ["The broker filled more than was ordered. Check the position at the broker now.", detail]
    if notice.kind is NoticeKind.RESURRECTED:
        before = f" ({detail})" if detail else ""
        return [
            f"We had called it failed{before}; the broker shows it {_state(order)}. The broker's book wins.",
            "Check the position: an exit or a new entry may have been decided without it.",
        ]
    said = [detail, _consequence(notice, order), said_by_hand(notice, order), _cancel_asked(notice, order)]
    return [*said, *_still_held(notice, order)]


def _still_held(notice: Notice, order: Order) -> list[str]:
    """What an exit that came to nothing means, and the commands of the chat that look and that close the position."""
    if order.execution_type is not ExecutionType.EXIT or order.status is not Status.FAILED:
        return []
    if notice.kind not in (NoticeKind.REJECTED, NoticeKind.FAILED):
        return []
    command = f"/exit {safe(order.symbol, _NAME)} {safe(order.client_id, _NAME)}"
    return [
        "What it was to close may still be held. Look: /positions",
        f"To close it: <code>{command}</code>",
    ]


def _consequence(notice: Notice, order: Order) -> str:
    """The consequence of a failure, which the first line leaves out."""
    reason = reason_of(order.tag) if notice.kind is NoticeKind.FAILED else None
    said = "" if reason is None else reason.follows
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def said_by_hand(notice: Notice, order: Order) -> str:
    """Name the person who acted, and why; empty where no person acted or the message does not name one."""
    if notice.kind in _EXPLAINED_APART:
        return ""
    who, reason = safe(notice.by, _NAME), safe(order.reason_message or "", _REASON)
    if who and order.phase is Phase.LAPSED:
        return f"By hand: {who} cancelled it."
    if who:
        # For a failure the line above says why.
        why = f" ({reason})" if reason and order.status is not Status.FAILED else ""
        return f"By hand: {who} said so{why}; it was not read from the broker's book."
    given = number_given_by(order) if notice.kind is NoticeKind.PLACED else None
    if given is None:
        return ""
    why = f" ({safe(given[1], _REASON)})" if given[1] else ""
    return f"By hand: {safe(given[0], _NAME)} gave this number{why}; the broker's book shows it."


def _cancel_asked(notice: Notice, order: Order) -> str:
    """Say who asked for a cancel and why, for an order that was cancelled or was filled all the same; else empty."""
    wish = cancel_wish(order) if order.phase in (Phase.CANCELLED, Phase.FILLED) else None
    if wish is None or notice.kind not in (NoticeKind.FAILED, NoticeKind.FILLED):
        return ""
    late = " It came too late." if order.phase is Phase.FILLED else ""
    told = safe(wish.told(lambda text: _time(parse_time(text))), _REASON)
    return f"A cancel was {told}.{late}"


def _unknown_explained(order: Order) -> list[str]:
    """Explain an unknown outcome to an operator woken at night.

    It says what is not known, since when and why, what we do, and what the operator can do.
    """
    since = f"since {_time(order.sent_at)}" if order.sent_at else "for too long"
    number = order.broker_order_id
    known = f", number {safe(number, _NAME)}" if number else ""
    why = safe(_detail(order), _REASON)
    return [
        f"Not known {since}: whether the broker has this order. It may be live or filled.",
        f"Why: {why}" if why else "",
        f"We keep looking in the broker's order book, and block new entries in {_symbol(order)} until it is settled.",
        _exits_meanwhile(order),
        f"You can look there too (tag <code>{safe(order.client_order_id, _NAME)}</code>{known}), then settle it.",
        *_ways_to_resolve(order),
    ]


def _exits_meanwhile(order: Order) -> str:
    """Say which exits are sent while this order's outcome is unknown, and what ends the wait of the others."""
    whose = safe(order.strategy_name, _NAME)
    if order.execution_type is ExecutionType.EXIT:
        return (
            f"Other exits of {_symbol(order)} go for what this one cannot have taken; for the rest they wait until "
            "it is settled, or resolved as below."
        )
    return (
        f"Exits of {_symbol(order)} go for what is known to be held; an exit of {whose} for what this entry may have "
        "brought waits until it is settled, or resolved as below."
    )


def _ways_to_resolve(order: Order) -> list[str]:
    """The commands that resolve the order.

    An order with a broker's number is looked up under it already, so giving that number with `--found` would change
    nothing.
    """
    filled = f"--executed {quote(order.broker_order_id or '')} --filled {decimal_text(order.quantity)}"
    there = (
        ("If all of it was filled (--price where the broker shows one):", filled)
        if order.broker_order_id
        else ("If it is there, with the broker's number of it:", "--found NUMBER")
    )
    never = ("If the broker never had it:", '--failed "REASON"')
    return [
        line
        for what, outcome in (there, never)
        for line in (what, resolve_command(order.command_id, outcome))
    ]


def _explained_alone(notice: Notice) -> list[str]:
    if notice.kind is NoticeKind.ALERT_REJECTED:
        # ORDER FAILED: nothing was traded on an alert that asked for it, and searches for failures find it.
        said = f"{_FAILURE} · nothing was traded; the alert is kept as it came"
        return [said, safe(notice.more, _REASON)]
    if notice.kind is NoticeKind.SYSTEM:
        return []
    if notice.kind in OF_PROTECTIONS:
        return [safe(notice.more, _REASON)]
    detail = [safe(notice.detail, _REASON)]
    if notice.kind is NoticeKind.HALTED:
        return [*detail, "New entries are blocked; exits still go."]
    if notice.kind in (NoticeKind.LOSS_LIMIT_HIT, NoticeKind.RISK_LIMIT_HIT):
        return [
            *detail,
            "If it is not today's, or you accept it, lift it, on the page Health or with:"
            if notice.kind is NoticeKind.RISK_LIMIT_HIT
            else "If it is not today's loss, or you accept it, lift it, on the page Health or with:",
            f"<code>{lift_command(notice)}</code>",
        ]
    if notice.kind is NoticeKind.EXTERNAL_ORDER:
        return [
            *detail,
            "It stands at the broker and no order here explains it. Recorded; never traded against.",
        ]
    if notice.kind is NoticeKind.UNREMEMBERED_ORDER:
        return [
            *detail,
            "A backup was restored, or another installation trades this account: end that one.",
            "An alert of today that asks for it again does not send it again. Units that it bought are given to a "
            "strategy on the page Review, or with <code>python cli.py adopt</code>.",
        ]
    if notice.kind is NoticeKind.EXTERNAL_POSITION:
        return [
            *detail,
            "No fill of ours explains it; Orderwatch does not trade against it.",
            "If a strategy is to hold it, on the page Review, or with the units signed as above:",
            f"<code>python cli.py adopt {safe(quote(notice.client_id), _NAME)} "
            f'{safe(quote(notice.symbol or "SYMBOL"), _NAME)} STRATEGY UNITS --reason "REASON"</code>',
        ]
    if notice.kind is NoticeKind.POSITION_DIFFERS:
        return [*detail, "Nothing under way explains it. Exits go by the broker's position; look who traded."]
    if notice.kind is NoticeKind.HOLDING_CLEARED:
        return [*detail, "No fill that we recorded closed it; its strategies may enter it again."]
    return detail


# The facts ----------------------------------------------------------------------------------------------------


def _what(order: Order) -> str:
    """`ENTRY BUY 50 NIFTY26NOV24500CE · LIMIT 112.5`."""
    parts = [" ".join([order.execution_type, *traded(order)]), _terms(order)]
    if order.test_mode is not None:
        parts.append("test mode: no broker involved")
    return " · ".join(parts)


def traded(order: Order) -> tuple[str, str]:
    """`BUY 50`, and the symbol."""
    quantity = _number(order.quantity) if order.quantity else "all"  # a full exit, not sized yet
    return f"{order.side} {quantity}", _symbol(order)


def _terms(order: Order) -> str:
    if order.order_type is OrderType.MARKET:
        return "MARKET"
    limit = f" {_number(order.price)}" if order.price is not None else ""
    trigger = f" trigger {_number(order.trigger_price)}" if order.trigger_price is not None else ""
    return f"{order.order_type}{limit}{trigger}"


def _whose(order: Order) -> str:
    """`default · NIFTY_STRADDLE · <code>id</code>`."""
    return (
        f"{safe(order.client_id, _NAME)} · {safe(order.strategy_name, _NAME)} · "
        f"<code>{shown_id(order)}</code>"
    )


def _whom(notice: Notice) -> str:
    """As `_whose`, for a notice that is about no order."""
    if notice.kind in _WHOM_FIRST:
        return ""  # the first line names the client
    symbol = notice.symbol if notice.kind is NoticeKind.ALERT_REJECTED else None
    shown = [safe(part, _NAME) for part in (notice.client_id, symbol) if part]
    if notice.alert_id is not None:
        shown.append(f"<code>{shown_id(notice)}</code>")
    return " · ".join(shown)


def shown_id(told: Order | Notice) -> str:
    """The id that the last line ends with; empty where it has none."""
    if isinstance(told, Order):
        return safe(told.short_id, _NAME)
    return "" if told.kind in _WHOM_FIRST or told.alert_id is None else safe(told.alert_id, _NAME)


def _state(order: Order) -> str:
    if order.phase is Phase.FILLED:
        return f"filled, {_fills(order)}"
    if order.phase is Phase.PARTIALLY_FILLED:
        return f"partly filled, {_fills(order)}"
    return "live"


def _fills(order: Order) -> str:
    """`20 of 50 @ 112.5`."""
    return f"{_number(order.filled_quantity)} of {_number(order.quantity)} @ {_average(order)}"


def _average(order: Order) -> str:
    return "price not reported" if order.average_price is None else _number(order.average_price)


def _number(value: Decimal) -> str:
    return safe(decimal_text(value), _NAME)


def _symbol(order: Order) -> str:
    return safe(order.symbol, _NAME)


def _time(at: datetime) -> str:
    """`2026-11-21 09:15:00Z`: to the second, for people."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
