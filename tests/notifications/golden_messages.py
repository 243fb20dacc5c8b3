"""How each kind of message reads, word for word."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.enums import ExecutionType, Side
from domain.notices import Notice, NoticeKind
from domain.reason_codes import Reason
from domain.states import STATUS_OF, Phase
from tests.notifications.fakes import START, an_order
from tests.notifications.golden_protections import OF_PROTECTIONS

FACTS = "ENTRY BUY 50 NIFTY26NOV24500CE · LIMIT 112.5\ndefault · NIFTY_STRADDLE · <code>KC6W0N4E-1</code>"
ORDER_KINDS = (
    NoticeKind.BLOCKED,
    NoticeKind.PLACED,
    NoticeKind.PARTIALLY_FILLED,
    NoticeKind.FILLED,
    NoticeKind.REJECTED,
    NoticeKind.FAILED,
    NoticeKind.UNKNOWN,
    NoticeKind.OVERFILLED,
    NoticeKind.RESURRECTED,
    NoticeKind.FROZEN,
)


def about(kind, phase, detail="", **changes):
    order = an_order(phase=phase, status=STATUS_OF[phase], **changes)
    return Notice(kind, order.client_id, order, order.alert_id, order.symbol, detail)


def alone(kind, detail, **fields):
    return Notice(kind, "default", detail=detail, **fields)


CANCEL = {
    "cancel_requested_at": START,
    "cancel_sent_at": START + timedelta(seconds=1),
    "context_json": '{"cancel_by": "cli:ann", "cancel_reason": "too <wild>"}',
}
FILLS = {"average_price": Decimal("112.40")}
GOLDEN = {
    "blocked": (
        about(
            NoticeKind.BLOCKED,
            Phase.BLOCKED,
            tag="RISK_BLOCKED:DAILY_LOSS_HIT",
            reason_message="Daily loss limit hit: no new entries today (lost 12500, limit 10000)",
            reason_detail="lost 12500, limit 10000",
        ),
        "❌ Daily loss limit hit: no new entries today (RISK_BLOCKED:DAILY_LOSS_HIT) | NIFTY26NOV24500CE · "
        "ENTRY BUY 50\n"
        f"<b>ORDER FAILED</b> · blocked, never sent · lost 12500, limit 10000\n{FACTS}",
    ),
    "blocked by a reason without a sentence": (
        about(
            NoticeKind.BLOCKED,
            Phase.BLOCKED,
            tag="VALIDATION_FAILED:OF_AN_EARLIER_VERSION",
            reason_message="75 of lots of 50",
        ),
        "❌ VALIDATION_FAILED:OF_AN_EARLIER_VERSION | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        f"<b>ORDER FAILED</b> · blocked, never sent · 75 of lots of 50\n{FACTS}",
    ),
    "placed": (
        about(NoticeKind.PLACED, Phase.WORKING, broker_order_id="26112000000042"),
        f"✅ Order placed | 26112000000042 · ENTRY BUY 50 NIFTY26NOV24500CE\n{FACTS}",
    ),
    "partly filled": (
        about(NoticeKind.PARTIALLY_FILLED, Phase.PARTIALLY_FILLED, filled_quantity=Decimal(20), **FILLS),
        f"✨ Partly filled | 20 of 50 @ 112.4 · ENTRY BUY 50 NIFTY26NOV24500CE\n{FACTS}",
    ),
    "filled": (
        about(NoticeKind.FILLED, Phase.FILLED, filled_quantity=Decimal(50), **FILLS),
        f"✨ Order filled | 50 @ 112.4 · ENTRY BUY 50 NIFTY26NOV24500CE\n{FACTS}",
    ),
    "filled, without a price": (
        about(NoticeKind.FILLED, Phase.FILLED, filled_quantity=Decimal(50)),
        f"✨ Order filled | 50 @ price not reported · ENTRY BUY 50 NIFTY26NOV24500CE\n{FACTS}",
    ),
    "rejected": (
        about(
            NoticeKind.REJECTED,
            Phase.REJECTED,
            tag="BROKER_REJECTED:16388",
            reason_message="RED:Margin Shortfall <2,345.00> & more",
        ),
        "⚠️ Broker rejected | RED:Margin Shortfall &lt;2,345.00&gt; &amp; more · ENTRY BUY 50 NIFTY26NOV24500CE\n"
        f"<b>ORDER FAILED</b> · BROKER_REJECTED:16388\n{FACTS}",
    ),
    "rejected exit": (
        about(
            NoticeKind.REJECTED,
            Phase.REJECTED,
            tag="BROKER_REJECTED:16388",
            reason_message="RED:Margin",
            execution_type=ExecutionType.EXIT,
            side=Side.SELL,
        ),
        "⚠️ Broker rejected | RED:Margin · EXIT SELL 50 NIFTY26NOV24500CE\n"
        "<b>ORDER FAILED</b> · BROKER_REJECTED:16388\n"
        "What it was to close may still be held. Look: /positions\n"
        "To close it: <code>/exit NIFTY26NOV24500CE default</code>\n"
        f"{FACTS.replace('ENTRY BUY', 'EXIT SELL')}",
    ),
    "cancelled after a part": (
        about(
            NoticeKind.FAILED,
            Phase.CANCELLED,
            tag="BROKER_CANCELLED",
            reason_message="CANCELLED",
            reason_detail="",
            filled_quantity=Decimal(20),
            **FILLS,
        ),
        "⚠️ Order cancelled at the broker | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        f"<b>ORDER FAILED</b> · BROKER_CANCELLED · 20 of 50 @ 112.4 filled before, and kept\n{FACTS}",
    ),
    "expired": (
        about(NoticeKind.FAILED, Phase.EXPIRED, tag="BROKER_EXPIRED", reason_message="end of day"),
        "⚠️ Order expired at the broker | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        f"<b>ORDER FAILED</b> · BROKER_EXPIRED · end of day\n{FACTS}",
    ),
    "absent": (
        about(
            NoticeKind.FAILED,
            Phase.ABSENT,
            tag="BROKER_ABSENT:PROVEN",
            reason_message=f"{Reason.PROVEN.sentence} (outcome unknown: HTTP 502)",
            reason_detail="outcome unknown: HTTP 502",
        ),
        "⚠️ A complete, later book shows that the broker never had it | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "<b>ORDER FAILED</b> · BROKER_ABSENT:PROVEN · outcome unknown: HTTP 502\n"
        f"Nothing was bought or sold, and it is not sent again.\n{FACTS}",
    ),
    "lapsed": (
        about(NoticeKind.FAILED, Phase.LAPSED, tag="NOT_SENT:ALERT_TOO_OLD"),
        "⚠️ The alert's life ended before the order could be sent | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        f"<b>ORDER FAILED</b> · NOT_SENT:ALERT_TOO_OLD\n{FACTS}",
    ),
    "unknown": (
        about(
            NoticeKind.UNKNOWN,
            Phase.UNKNOWN,
            sent_at=START,
            reason_message="outcome unknown: HTTP 502",
            reason_detail="HTTP 502",
        ),
        "🚨 Order outcome unknown | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "Not known since 2026-11-20 14:02:11Z: whether the broker has this order. It may be live or filled.\n"
        "Why: HTTP 502\n"
        "We keep looking in the broker's order book, and block new entries in NIFTY26NOV24500CE until it is settled.\n"
        "Exits of NIFTY26NOV24500CE go for what is known to be held; an exit of NIFTY_STRADDLE for what this entry may "
        "have brought waits until it is settled, or resolved as below.\n"
        "You can look there too (tag <code>owk3v7q2m5x8z4n6b9c1</code>), then settle it.\n"
        "If it is there, with the broker's number of it:\n"
        "<code>python cli.py resolve 01JD4M8Q7T2V9X3ZB5KC6W0N4E-1 --found NUMBER</code>\n"
        "If the broker never had it:\n"
        '<code>python cli.py resolve 01JD4M8Q7T2V9X3ZB5KC6W0N4E-1 --failed "REASON"</code>\n'
        f"{FACTS}",
    ),
    "unknown exit": (
        about(
            NoticeKind.UNKNOWN,
            Phase.UNKNOWN,
            sent_at=START,
            execution_type=ExecutionType.EXIT,
            reason_message="outcome unknown: HTTP 502",
            reason_detail="HTTP 502",
        ),
        "🚨 Order outcome unknown | NIFTY26NOV24500CE · EXIT BUY 50\n"
        "Not known since 2026-11-20 14:02:11Z: whether the broker has this order. It may be live or filled.\n"
        "Why: HTTP 502\n"
        "We keep looking in the broker's order book, and block new entries in NIFTY26NOV24500CE until it is settled.\n"
        "Other exits of NIFTY26NOV24500CE go for what this one cannot have taken; for the rest they wait until it is "
        "settled, or resolved as below.\n"
        "You can look there too (tag <code>owk3v7q2m5x8z4n6b9c1</code>), then settle it.\n"
        "If it is there, with the broker's number of it:\n"
        "<code>python cli.py resolve 01JD4M8Q7T2V9X3ZB5KC6W0N4E-1 --found NUMBER</code>\n"
        "If the broker never had it:\n"
        '<code>python cli.py resolve 01JD4M8Q7T2V9X3ZB5KC6W0N4E-1 --failed "REASON"</code>\n'
        f"{FACTS.replace('ENTRY', 'EXIT')}",
    ),
    "placed, as a person said": (
        replace(
            about(NoticeKind.PLACED, Phase.FILLED, broker_order_id="42", reason_message="seen <there>"),
            by="cli:ann",
        ),
        "✅ Order placed | 42 · ENTRY BUY 50 NIFTY26NOV24500CE\n"
        "By hand: cli:ann said so (seen &lt;there&gt;); it was not read from the broker's book.\n"
        f"{FACTS}",
    ),
    "filled, as a person said without a reason": (
        replace(
            about(NoticeKind.FILLED, Phase.FILLED, filled_quantity=Decimal(50), **FILLS), by="console:ann"
        ),
        "✨ Order filled | 50 @ 112.4 · ENTRY BUY 50 NIFTY26NOV24500CE\n"
        f"By hand: console:ann said so; it was not read from the broker's book.\n{FACTS}",
    ),
    "absent, as a person said": (
        replace(
            about(
                NoticeKind.FAILED,
                Phase.ABSENT,
                tag="BROKER_ABSENT:OPERATOR_RESOLVED",
                reason_message="not in the terminal",
            ),
            by="cli:ann",
        ),
        "⚠️ An operator found that the broker does not have the order | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "<b>ORDER FAILED</b> · BROKER_ABSENT:OPERATOR_RESOLVED · not in the terminal\n"
        f"By hand: cli:ann said so; it was not read from the broker's book.\n{FACTS}",
    ),
    "placed under the number that a person gave": (
        about(
            NoticeKind.PLACED,
            Phase.WORKING,
            broker_order_id="42",
            context_json='{"followed": "42", "followed_by": "cli:ann", "followed_because": "seen"}',
        ),
        "✅ Order placed | 42 · ENTRY BUY 50 NIFTY26NOV24500CE\n"
        f"By hand: cli:ann gave this number (seen); the broker's book shows it.\n{FACTS}",
    ),
    "cancelled as a person wished": (
        about(NoticeKind.FAILED, Phase.CANCELLED, tag="BROKER_CANCELLED", **CANCEL),
        "⚠️ Order cancelled at the broker | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "<b>ORDER FAILED</b> · BROKER_CANCELLED\n"
        "A cancel was asked for by cli:ann at 2026-11-20 14:02:11Z (too &lt;wild&gt;), "
        f"sent to the broker at 2026-11-20 14:02:12Z.\n{FACTS}",
    ),
    "filled before the cancel": (
        about(NoticeKind.FILLED, Phase.FILLED, filled_quantity=Decimal(50), **FILLS, **CANCEL),
        "✨ Order filled | 50 @ 112.4 · ENTRY BUY 50 NIFTY26NOV24500CE\n"
        "A cancel was asked for by cli:ann at 2026-11-20 14:02:11Z (too &lt;wild&gt;), "
        f"sent to the broker at 2026-11-20 14:02:12Z. It came too late.\n{FACTS}",
    ),
    "cancelled before it was sent": (
        replace(
            about(
                NoticeKind.FAILED,
                Phase.LAPSED,
                tag="NOT_SENT:CANCELLED_BEFORE_SENT",
                reason_message=f"{Reason.CANCELLED_BEFORE_SENT.sentence} (too wild)",
                reason_detail="too wild",
            ),
            by="cli:ann",
        ),
        "⚠️ The order was cancelled before it was sent | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "<b>ORDER FAILED</b> · NOT_SENT:CANCELLED_BEFORE_SENT · too wild\n"
        f"By hand: cli:ann cancelled it.\n{FACTS}",
    ),
    "nothing to exit, for others hold it": (
        about(
            NoticeKind.BLOCKED,
            Phase.BLOCKED,
            tag="GUARD_BLOCKED:NO_POSITION",
            reason_message="Nothing to exit (nothing of it is this strategy's: A 45)",
            reason_detail="nothing of it is this strategy's: A 45",
        ),
        "❌ Nothing to exit (GUARD_BLOCKED:NO_POSITION) | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        f"<b>ORDER FAILED</b> · blocked, never sent · nothing of it is this strategy's: A 45\n{FACTS}",
    ),
    "system, of an order": (
        about(NoticeKind.SYSTEM, Phase.REGISTERED, "the exit is not sent yet: no route to the broker"),
        f"🔧 System | NIFTY26NOV24500CE: the exit is not sent yet: no route to the broker · ENTRY BUY 50\n{FACTS}",
    ),
    "overfilled": (
        about(NoticeKind.OVERFILLED, Phase.FILLED, filled_quantity=Decimal(75), **FILLS),
        "🚨 Overfilled | 75 of 50 @ 112.4 · ENTRY BUY 50 NIFTY26NOV24500CE\n"
        f"The broker filled more than was ordered. Check the position at the broker now.\n{FACTS}",
    ),
    "resurrected": (
        about(
            NoticeKind.RESURRECTED,
            Phase.PARTIALLY_FILLED,
            "was BROKER_CANCELLED",
            filled_quantity=Decimal(20),
            **FILLS,
        ),
        "🚨 Order is alive after all | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "We had called it failed (was BROKER_CANCELLED); the broker shows it partly filled, 20 of 50 @ 112.4. "
        "The broker's book wins.\n"
        f"Check the position: an exit or a new entry may have been decided without it.\n{FACTS}",
    ),
    "alert rejected": (
        alone(
            NoticeKind.ALERT_REJECTED, "legs[0].qty: expected a number above 0", alert_id="01JD4M8Q7T2V9X3ZB5"
        ),
        "❌ Alert rejected | legs[0].qty: expected a number above 0\n"
        "<b>ORDER FAILED</b> · nothing was traded; the alert is kept as it came\n"
        "default · <code>01JD4M8Q7T2V9X3ZB5</code>",
    ),
    "halted": (
        alone(NoticeKind.HALTED, "by priya: news at 14:00"),
        "🛑 Trading halted | default\nby priya: news at 14:00\nNew entries are blocked; exits still go.",
    ),
    "loss limit hit": (
        alone(NoticeKind.LOSS_LIMIT_HIT, "Two reads show -6000 today (limit -5000)."),
        "🛑 Daily loss limit hit | default\nTwo reads show -6000 today (limit -5000).\n"
        "If it is not today's loss, or you accept it, lift it, on the page Health or with:\n"
        '<code>python cli.py lift default --reason "REASON"</code>',
    ),
    "another limit": (
        alone(NoticeKind.RISK_LIMIT_HIT, "5000 today, limit 5000."),
        "🛑 Limit hit | default\n5000 today, limit 5000.\n"
        "If it is not today's, or you accept it, lift it, on the page Health or with:\n"
        '<code>python cli.py lift default --reason "REASON"</code>',
    ),
    "near a limit": (
        alone(NoticeKind.RISK_WARNING, "-4000 today"),
        "⚠️ Near a limit | default\n-4000 today",
    ),
    "a sum is not known": (
        alone(NoticeKind.RISK_UNKNOWN, "no price"),
        "🚨 Profit and loss not known | default\nno price",
    ),
    "what a day brought": (
        alone(NoticeKind.DAY_SUMMARY, "2026-11-20: 500"),
        "📒 The day | default\n2026-11-20: 500",
    ),
    "entries may only reduce": (
        alone(NoticeKind.STATE_CHANGED, "REDUCING by priya"),
        "🚦 Entries | default\nREDUCING by priya",
    ),
    "loss limit lifted": (
        alone(NoticeKind.LOSS_LIMIT_LIFTED, "By cli:priya: yesterday's."),
        "▶️ Daily loss limit lifted | default\nBy cli:priya: yesterday's.",
    ),
    "resumed": (alone(NoticeKind.RESUMED, "by priya"), "▶️ Trading resumed | default\nby priya"),
    "system": (
        alone(NoticeKind.SYSTEM, "the broker's book could not be read for 62 s"),
        "🔧 System | the broker's book could not be read for 62 s\ndefault",
    ),
    "external order": (
        alone(NoticeKind.EXTERNAL_ORDER, "SELL 50, number 26112000000043, OPEN", symbol="NIFTY26NOV24500CE"),
        "👀 An order that is not ours | NIFTY26NOV24500CE\n"
        "SELL 50, number 26112000000043, OPEN\n"
        "It stands at the broker and no order here explains it. Recorded; never traded against.\n"
        "default",
    ),
    "an order of ours that is not remembered": (
        alone(
            NoticeKind.UNREMEMBERED_ORDER,
            "26112000000043: SELL 50 NFO:NIFTY26NOV24500CE, COMPLETE, tag oww17eekpqn45b38ht8r",
            symbol="NIFTY26NOV24500CE",
        ),
        "🚨 An order with this program's tag that its database does not know | NIFTY26NOV24500CE\n"
        "26112000000043: SELL 50 NFO:NIFTY26NOV24500CE, COMPLETE, tag oww17eekpqn45b38ht8r\n"
        "A backup was restored, or another installation trades this account: end that one.\n"
        "An alert of today that asks for it again does not send it again. Units that it bought are given to a strategy "
        "on the page Review, or with <code>python cli.py adopt</code>.\n"
        "default",
    ),
    "an hour at the broker": (
        about(
            NoticeKind.FROZEN,
            Phase.PARTIALLY_FILLED,
            "20 of 50 filled, the rest waits at the broker",
            sent_at=START,
            attempts=1,
        ),
        "⏳ At the broker for over an hour | NIFTY26NOV24500CE · ENTRY BUY 50\n"
        "Sent 2026-11-20 14:02:11Z, sends: 1. 20 of 50 filled, the rest waits at the broker.\n"
        f"It may be meant to wait: look whether it should still be there.\n{FACTS}",
    ),
    "no longer held": (
        alone(
            NoticeKind.HOLDING_CLEARED,
            "the broker shows NFO NIFTY26NOV24500CE flat; no longer held: STRADDLE 50 MIS",
            symbol="NIFTY26NOV24500CE",
        ),
        "🧹 No longer held | NIFTY26NOV24500CE\n"
        "the broker shows NFO NIFTY26NOV24500CE flat; no longer held: STRADDLE 50 MIS\n"
        "No fill that we recorded closed it; its strategies may enter it again.\n"
        "default",
    ),
    "position differs": (
        alone(
            NoticeKind.POSITION_DIFFERS,
            "NFO MIS: our strategies hold 50, the broker has 60: +10",
            symbol="NIFTY26NOV24500CE",
        ),
        "🚨 Position differs | NIFTY26NOV24500CE\n"
        "NFO MIS: our strategies hold 50, the broker has 60: +10\n"
        "Nothing under way explains it. Exits go by the broker's position; look who traded.\n"
        "default",
    ),
    "external position": (
        alone(
            NoticeKind.EXTERNAL_POSITION,
            "MCX NRML: the broker has -5, none of our strategies holds any",
            symbol="GOLD",
        ),
        "👀 A position that is not ours | GOLD\n"
        "MCX NRML: the broker has -5, none of our strategies holds any\n"
        "No fill of ours explains it; Orderwatch does not trade against it.\n"
        "If a strategy is to hold it, on the page Review, or with the units signed as above:\n"
        '<code>python cli.py adopt default GOLD STRATEGY UNITS --reason "REASON"</code>\n'
        "default",
    ),
    "adopted": (
        alone(
            NoticeKind.ADOPTED,
            "S1 holds 50 NFO NIFTY26NOV24500CE MIS from now on, 50 of them adopted. By cli:priya: bought for it",
            symbol="NIFTY26NOV24500CE",
        ),
        "🤝 Adopted | NIFTY26NOV24500CE\n"
        "S1 holds 50 NFO NIFTY26NOV24500CE MIS from now on, 50 of them adopted. By cli:priya: bought for it\n"
        "default",
    ),
    "stop met": (
        replace(
            about(NoticeKind.STOP_FIRED, Phase.REGISTERED),
            detail="NIFTY26NOV24500CE: last price 98 met the stop at 98.5; 50 units exit at market",
            more="It is followed & told of.",
        ),
        "🛡️ Stop met | NIFTY26NOV24500CE: last price 98 met the stop at 98.5; 50 units exit at market\n"
        f"It is followed &amp; told of.\n{FACTS}",
    ),
    "trail moved, of an entry of which only a part was filled": (
        replace(
            about(NoticeKind.TRAIL_MOVED, Phase.CANCELLED, filled_quantity=Decimal(20), **FILLS),
            detail="TCS: last price 110, the stop is now 107",
        ),
        f"🛡️ Trailing stop moved | TCS: last price 110, the stop is now 107\n{FACTS}",
    ),
    **{
        name: (
            alone(kind, f"TCS: {name}", more="What to do."),
            f"{title} | TCS: {name}\nWhat to do.\ndefault",
        )
        for name, (kind, title) in OF_PROTECTIONS.items()
    },
    "position agrees": (
        alone(
            NoticeKind.POSITION_AGREES,
            "NFO MIS: our strategies and the broker both have 50; the difference of 10 is gone",
            symbol="NIFTY26NOV24500CE",
        ),
        "✅ Position agrees again | NIFTY26NOV24500CE\n"
        "NFO MIS: our strategies and the broker both have 50; the difference of 10 is gone\n"
        "default",
    ),
}
