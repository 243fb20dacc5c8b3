"""What people are told of limits: what happened, at what figure, what is being done, and what they can do. Pure."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from domain.flatten import Part
from domain.money import ZERO, decimal_text
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.pnl import DayResult
from domain.risk_stops import RiskRule, Stop, StopKey, told_of


def hit_notice(stop: Stop) -> Notice:
    """Tell that a limit was reached."""
    is_loss = stop.key.rule in (RiskRule.DAILY_LOSS, RiskRule.TRAILING_LOSS)
    kind = NoticeKind.LOSS_LIMIT_HIT if is_loss else NoticeKind.RISK_LIMIT_HIT
    return Notice(kind, stop.key.client_id, detail=told_of(stop))


def unknown_notice(stop: Stop) -> tuple[NoticeKey, Notice]:
    """Tell that a sum is not known; until it is known again, once."""
    text = (
        f"the profit and loss of {_whose(stop.key)} is not known: {stop.detail}. Its new entries are blocked until it "
        "is; exits still go, and none is asked for because of it. Look whether the broker shows a price, and at the "
        "position"
    )
    key = NoticeKey(NoticeSubject.RISK_UNKNOWN, (stop.key.strategy_name,))
    return key, Notice(NoticeKind.RISK_UNKNOWN, stop.key.client_id, detail=text)


def known_again(stop: Stop) -> Notice:
    """Tell that the sum is known again."""
    return Notice(
        NoticeKind.SYSTEM,
        stop.key.client_id,
        detail=f"the profit and loss of {_whose(stop.key)} is known again",
    )


def warned(key: StopKey, figure: Decimal, limit: Decimal, day: date) -> tuple[NoticeKey, Notice]:
    """Warn, once a day, that a share of a limit is used up."""
    told = NoticeKey(NoticeSubject.RISK_WARNED, (key.strategy_name, key.rule, day.isoformat()))
    text = (
        f"{decimal_text(figure)} today of {_whose(key)}, near the {key.rule.words} of {decimal_text(limit)}. Nothing "
        "is blocked yet; once it is reached, new entries are"
    )
    return told, Notice(NoticeKind.RISK_WARNING, key.client_id, detail=text)


def differs(client_id: str, own: Decimal, broker: Decimal, day: date) -> tuple[NoticeKey, Notice]:
    """Tell, once a day, that our own figure is another than the broker's."""
    key = NoticeKey(NoticeSubject.PNL_DIFFERS, (day.isoformat(),))
    text = (
        f"today's profit and loss is {decimal_text(own)} by our own fills and {decimal_text(broker)} by the broker. "
        "The worse of the two counts for limits. Orders by hand, charges and positions of earlier days are the usual "
        "reasons"
    )
    return key, Notice(NoticeKind.SYSTEM, client_id, detail=text)


def day_summary(
    client_id: str, day: date, results: Iterable[DayResult], broker: Decimal | None
) -> tuple[NoticeKey, Notice]:
    """Tell what a trading day brought, by strategy, beside the broker's figure."""
    by_strategy, fills, realized = dict[str, Decimal](), 0, ZERO
    for result in results:
        name = result.where.strategy_name
        rest = ZERO if result.unrealized is None else result.unrealized
        by_strategy[name] = by_strategy.get(name, ZERO) + result.realized + rest - result.carried
        fills, realized = fills + result.fills, realized + result.realized
    total = sum(by_strategy.values(), ZERO)
    each = ", ".join(f"{name} {decimal_text(brought)}" for name, brought in sorted(by_strategy.items()))
    beside = "" if broker is None else f", {decimal_text(broker)} by the broker"
    text = (
        f"{day.isoformat()}: {decimal_text(total)} by our own fills{beside}; realised {decimal_text(realized)} with "
        f"{fills} fills. {each}"
    )
    key = NoticeKey(NoticeSubject.DAY_SUMMARY, (day.isoformat(),))
    return key, Notice(NoticeKind.DAY_SUMMARY, client_id, detail=text)


def flat(stop: Stop) -> Notice:
    """Tell that the exits of a stop are over."""
    text = f"nothing is held any more by {_whose(stop.key)} after its {stop.key.rule.words} was reached"
    return Notice(NoticeKind.SYSTEM, stop.key.client_id, detail=text)


def given_up(stop: Stop, part: Part, last: Order) -> tuple[NoticeKey, Notice]:
    """Tell that no attempt has closed a part."""
    key = NoticeKey(NoticeSubject.RISK_EXIT_FAILED, (stop.key.strategy_name, stop.key.rule, *part[1:5]))
    text = (
        f"{part.strategy_name} still holds {decimal_text(part.quantity)} of {part.symbol} at {part.exchange} after its "
        f"{stop.key.rule.words} was reached and all attempts to exit ({last.tag or last.status}). No more are made: "
        "exit it by hand"
    )
    return key, Notice(NoticeKind.SYSTEM, part.client_id, symbol=part.symbol, detail=text)


def not_asked(stop: Stop, part: Part, error: Exception) -> tuple[NoticeKey, Notice]:
    """Tell that the exit of a part could not be asked for, which is tried again."""
    facts = (stop.key.strategy_name, stop.key.rule, *part[1:5], "not asked")
    text = (
        f"the exit of {decimal_text(part.quantity)} {part.symbol} of {part.strategy_name} could not be asked for after "
        f"its {stop.key.rule.words} was reached: {type(error).__name__}: {error}. It is tried again; look at the "
        "position, and exit it by hand if it stays"
    )
    return NoticeKey(NoticeSubject.RISK_EXIT_FAILED, facts), Notice(
        NoticeKind.SYSTEM, part.client_id, symbol=part.symbol, detail=text
    )


def _whose(key: StopKey) -> str:
    return key.strategy_name or "the whole account"
