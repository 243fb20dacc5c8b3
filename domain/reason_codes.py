"""Reason codes of FAILED orders: tags `FAMILY:REASON`, from one enum. The table in docs/ is generated from it."""

from enum import StrEnum


class Family(StrEnum):
    """The family of a reason: which rule or party stopped the order."""

    RISK_BLOCKED = "RISK_BLOCKED"
    GUARD_BLOCKED = "GUARD_BLOCKED"
    DUPLICATE_BLOCKED = "DUPLICATE_BLOCKED"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    BROKER_REJECTED = "BROKER_REJECTED"
    BROKER_CANCELLED = "BROKER_CANCELLED"
    BROKER_EXPIRED = "BROKER_EXPIRED"
    BROKER_ABSENT = "BROKER_ABSENT"
    NOT_SENT = "NOT_SENT"


class Reason(StrEnum):
    """Reason codes of our own; the tag of a broker's rejection has the broker's code instead."""

    family: Family
    what: str  # what happened
    follows: str  # what that means; empty where `what` says it already

    def __new__(cls, code: str, family: Family, what: str, follows: str = "") -> "Reason":
        member = str.__new__(cls, code)
        member._value_ = code
        member.family = family
        member.what = what
        member.follows = follows
        return member

    @property
    def sentence(self) -> str:
        """What happened and what that means, as one text."""
        return f"{self.what}: {self.follows}" if self.follows else self.what

    def with_detail(self, detail: str) -> str:
        """Return the sentence with the figures in `detail`, if there are any."""
        return f"{self.sentence} ({detail})" if detail else self.sentence

    DAILY_LOSS_HIT = "DAILY_LOSS_HIT", Family.RISK_BLOCKED, "Daily loss limit hit", "no new entries today"
    DAILY_LOSS_UNCONFIRMED = (
        "DAILY_LOSS_UNCONFIRMED",
        Family.RISK_BLOCKED,
        "One read shows the daily loss limit reached",
        "entries wait for what the next reads show",
    )
    DAILY_PROFIT_HIT = (
        "DAILY_PROFIT_HIT",
        Family.RISK_BLOCKED,
        "Daily profit limit hit",
        "no new entries today",
    )
    TRAILING_LOSS_HIT = (
        "TRAILING_LOSS_HIT",
        Family.RISK_BLOCKED,
        "Trailing loss limit hit",
        "no new entries today",
    )
    MARK_UNKNOWN = (
        "MARK_UNKNOWN",
        Family.RISK_BLOCKED,
        "A price that a limit needs is missing or too old",
        "what is not known is not counted as nothing",
    )
    MAX_TRADES_PER_DAY = "MAX_TRADES_PER_DAY", Family.RISK_BLOCKED, "Too many entries in this trading day"
    MAX_OPEN_POSITIONS = "MAX_OPEN_POSITIONS", Family.RISK_BLOCKED, "Too many open positions"
    MAX_EXPOSURE = "MAX_EXPOSURE", Family.RISK_BLOCKED, "The notional value held would be above the limit"
    COOLDOWN = "COOLDOWN", Family.RISK_BLOCKED, "The strategy has left this symbol a moment ago"
    STOP_STREAK = "STOP_STREAK", Family.RISK_BLOCKED, "Too many stops were met one after the other"
    LOSING_DAYS = (
        "LOSING_DAYS",
        Family.RISK_BLOCKED,
        "Too many days with a loss one after the other",
        "no new entries until the next week",
    )
    DRAWDOWN = (
        "DRAWDOWN",
        Family.RISK_BLOCKED,
        "Too far below the best result of the last days",
        "no new entries today",
    )
    PRICE_COLLAR = "PRICE_COLLAR", Family.RISK_BLOCKED, "The order's price is too far from the last one"
    SYMBOL_RESTRICTED = (
        "SYMBOL_RESTRICTED",
        Family.RISK_BLOCKED,
        "The symbol is on the list of those not to enter",
    )
    PRODUCT_NOT_ALLOWED = (
        "PRODUCT_NOT_ALLOWED",
        Family.RISK_BLOCKED,
        "The product is not among those to enter",
    )
    REDUCING_ONLY = (
        "REDUCING_ONLY",
        Family.RISK_BLOCKED,
        "Only entries that reduce the account's position are let through",
    )
    MAX_ORDER_QUANTITY = "MAX_ORDER_QUANTITY", Family.RISK_BLOCKED, "Quantity above the limit for one order"
    MAX_ORDER_VALUE = "MAX_ORDER_VALUE", Family.RISK_BLOCKED, "Notional value above the limit for one order"
    ORDER_VALUE_UNKNOWN = (
        "ORDER_VALUE_UNKNOWN",
        Family.RISK_BLOCKED,
        "A value limit is set and no price is known for the symbol",
    )
    MAX_ORDERS_PER_MINUTE = (
        "MAX_ORDERS_PER_MINUTE",
        Family.RISK_BLOCKED,
        "Too many entries within one minute",
    )
    MAX_OPEN_ORDERS = "MAX_OPEN_ORDERS", Family.RISK_BLOCKED, "Too many open orders"
    TRADING_HALTED = "TRADING_HALTED", Family.GUARD_BLOCKED, "Trading is halted"
    ORDER_BLOCKED_LIVE_TRADING = (
        "ORDER_BLOCKED_LIVE_TRADING",
        Family.GUARD_BLOCKED,
        "LIVE_TRADING is false",
        "a real broker is sent nothing",
    )
    POSITIONS_STALE = (
        "POSITIONS_STALE",
        Family.GUARD_BLOCKED,
        "The broker's positions are not known",
        "not read for too long, or a row of them cannot be read",
    )
    POSITION_DISPUTED = (
        "POSITION_DISPUTED",
        Family.GUARD_BLOCKED,
        "The broker's position in this symbol contradicts our own fills",
    )
    OUTCOME_UNKNOWN = (
        "OUTCOME_UNKNOWN",
        Family.GUARD_BLOCKED,
        "An earlier order in this symbol has an unknown outcome",
    )
    OPPOSITE_SIDE_HELD = (
        "OPPOSITE_SIDE_HELD",
        Family.GUARD_BLOCKED,
        "Another strategy holds the opposite side of this symbol",
    )
    NOT_FLAT_IN_TIME = (
        "NOT_FLAT_IN_TIME",
        Family.GUARD_BLOCKED,
        "The entry waited for an exit of its strategy, and its life ended first",
    )
    GROUP_INCOMPLETE = (
        "GROUP_INCOMPLETE",
        Family.GUARD_BLOCKED,
        "The legs of one alert stand or fall together, and another leg did not get as far as this one needs",
    )
    NO_POSITION = "NO_POSITION", Family.GUARD_BLOCKED, "Nothing to exit"
    DUPLICATE_ENTRY_BLOCKED = (
        "DUPLICATE_ENTRY_BLOCKED",
        Family.DUPLICATE_BLOCKED,
        "The strategy already has an open order or a position in this symbol",
    )
    SIGNAL_ALREADY_SEEN = (
        "SIGNAL_ALREADY_SEEN",
        Family.DUPLICATE_BLOCKED,
        "This signal_id was already delivered",
    )
    CONTENT_ALREADY_SEEN = (
        "CONTENT_ALREADY_SEEN",
        Family.DUPLICATE_BLOCKED,
        "The same alert was delivered a moment ago",
    )
    ALERT_TOO_OLD = (
        "ALERT_TOO_OLD",
        Family.NOT_SENT,
        "The alert's life ended before the order could be sent",
    )
    STOP_WRONG_SIDE = (
        "STOP_WRONG_SIDE",
        Family.VALIDATION_FAILED,
        "The stop or target is on the wrong side of the entry's price",
        "it would be met at once",
    )
    EXIT_TIME_PASSED = (
        "EXIT_TIME_PASSED",
        Family.VALIDATION_FAILED,
        "The entry's time to exit has passed already",
        "what it opened would be closed at once",
    )
    SIZE_ROUNDS_TO_ZERO = (
        "SIZE_ROUNDS_TO_ZERO",
        Family.VALIDATION_FAILED,
        "The size that was asked for is less than one lot",
        "it is rounded down, and never up",
    )
    SIZE_PRICE_UNKNOWN = (
        "SIZE_PRICE_UNKNOWN",
        Family.VALIDATION_FAILED,
        "The size needs a price, and none that is fresh is known",
        "nothing is sized by a guess",
    )
    SIZE_EQUITY_UNKNOWN = (
        "SIZE_EQUITY_UNKNOWN",
        Family.VALIDATION_FAILED,
        "The size needs the account's equity, and none that is fresh is known",
        "nothing is sized by a guess",
    )
    SIZE_STOP_MISSING = (
        "SIZE_STOP_MISSING",
        Family.VALIDATION_FAILED,
        "The size is what may be lost at the stop, and the entry has no stop",
    )
    SIZE_LOT_UNKNOWN = (
        "SIZE_LOT_UNKNOWN",
        Family.VALIDATION_FAILED,
        "The size is in lots, and how many units a lot has is not known",
    )
    SIZE_CURRENCY = (
        "SIZE_CURRENCY",
        Family.VALIDATION_FAILED,
        "The size is in another currency than the instrument's prices",
        "nothing is converted",
    )
    LEGS_NOT_CHOSEN = (
        "LEGS_NOT_CHOSEN",
        Family.VALIDATION_FAILED,
        "The legs of the strategy's template cannot be chosen for certain",
        "none of them was sent",
    )
    LOT_SIZE = "LOT_SIZE", Family.VALIDATION_FAILED, "The quantity is no multiple of the contract's lot"
    TICK_SIZE = "TICK_SIZE", Family.VALIDATION_FAILED, "A price is no multiple of the contract's tick"
    INSTRUMENT_UNKNOWN = "INSTRUMENT_UNKNOWN", Family.VALIDATION_FAILED, "The broker lists no such instrument"
    INSTRUMENT_AMBIGUOUS = (
        "INSTRUMENT_AMBIGUOUS",
        Family.VALIDATION_FAILED,
        "The name may mean several instruments",
        "none of them is guessed",
    )
    INSTRUMENT_EXPIRED = "INSTRUMENT_EXPIRED", Family.VALIDATION_FAILED, "The contract has expired"
    INSTRUMENT_NOT_TRADABLE = (
        "INSTRUMENT_NOT_TRADABLE",
        Family.VALIDATION_FAILED,
        "An index or an underlying cannot be traded by itself",
    )
    INSTRUMENTS_STALE = (
        "INSTRUMENTS_STALE",
        Family.GUARD_BLOCKED,
        "The broker's instruments are not known",
        "no master was loaded, or it is too old",
    )
    UNSUPPORTED_ORDER = (
        "UNSUPPORTED_ORDER",
        Family.VALIDATION_FAILED,
        "The broker's adapter cannot express this order",
    )
    CANCELLED_BEFORE_SENT = (
        "CANCELLED_BEFORE_SENT",
        Family.NOT_SENT,
        "The order was cancelled before it was sent",
    )
    OPERATOR_RESOLVED = (
        "OPERATOR_RESOLVED",
        Family.BROKER_ABSENT,
        "An operator found that the broker does not have the order",
    )
    PROVEN = (
        "PROVEN",
        Family.BROKER_ABSENT,
        "A complete, later book shows that the broker never had it",
        "nothing was bought or sold, and it is not sent again",
    )


def tag_of(reason: Reason) -> str:
    """Return the tag of one of our own reasons, such as `RISK_BLOCKED:DAILY_LOSS_HIT`."""
    return f"{reason.family}:{reason.value}"


_FAMILIES = frozenset(family.value for family in Family)
_BY_TAG = {tag_of(reason): reason for reason in Reason}


def broker_tag(family: Family, code: str = "") -> str:
    """Return the tag of a broker's answer: `BROKER_REJECTED:<code>`, or the bare family without a code."""
    return f"{family}:{code}" if code else str(family)


def reason_in(tag: str | None) -> str:
    """Return the part of a tag after the colon, the whole tag where it has no colon, or "" for no tag."""
    return "" if tag is None else tag.partition(":")[2] or tag


def family_of(tag: str | None) -> Family | None:
    """Return the family of a tag; None without a tag, or where the tag has no family of ours."""
    name = "" if tag is None else tag.partition(":")[0]
    return Family(name) if name in _FAMILIES else None


def reason_of(tag: str | None) -> Reason | None:
    """Return the reason of ours that the tag names; None without a tag, or where it is a broker's."""
    return None if tag is None else _BY_TAG.get(tag)


def words_of(tag: str | None) -> str:
    """Return what the tag means, for people; empty for a broker's code, which only the broker's message explains."""
    reason = reason_of(tag)
    if reason is not None:
        return reason.sentence
    return "" if tag is None or ":" in tag else tag.replace("_", " ").capitalize()


def sentence_of(tag: str | None) -> str:
    """Return what the tag means, for people; the tag itself where it has a broker's own code."""
    return words_of(tag) or tag or ""


def reasons_table() -> str:
    """Return the Markdown table of every reason, as it stands in docs/reason-codes.md."""
    rows = [f"| `{tag_of(reason)}` | {reason.sentence} |" for reason in Reason]
    return "\n".join(["| tag | meaning |", "|---|---|", *rows]) + "\n"
