"""The titles of what is told of protections."""

from domain.notices import NoticeKind

OF_PROTECTIONS = {
    "the target was met": (NoticeKind.TARGET_FIRED, "🎯 Target met"),
    "it is time": (NoticeKind.TIME_EXIT, "⏰ Time to exit"),
    "the stop is at cost": (NoticeKind.STOP_AT_COST, "🛡️ Stop moved to cost"),
    "the profit is locked": (NoticeKind.PROFIT_LOCKED, "🔒 Profit locked"),
    "the trail is armed": (NoticeKind.TRAIL_ARMED, "🛡️ Trailing stop armed"),
    "no price": (NoticeKind.PROTECTION_UNKNOWN, "🚨 Protection unknown"),
    "no stop": (NoticeKind.NO_STOP, "🚨 No stop"),
    "the exit failed": (NoticeKind.PROTECTIVE_EXIT_FAILED, "🚨 Protective exit failed"),
    "a late fill": (NoticeKind.PROTECTED_AGAIN, "🛡️ Protected again"),
}
