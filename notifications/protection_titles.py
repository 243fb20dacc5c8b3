"""The titles of what is told of protections."""

from domain.notices import NoticeKind

OF_PROTECTIONS = {
    NoticeKind.STOP_FIRED: ("🛡️ Stop met", "detail"),
    NoticeKind.TARGET_FIRED: ("🎯 Target met", "detail"),
    NoticeKind.TIME_EXIT: ("⏰ Time to exit", "detail"),
    NoticeKind.STOP_AT_COST: ("🛡️ Stop moved to cost", "detail"),
    NoticeKind.PROFIT_LOCKED: ("🔒 Profit locked", "detail"),
    NoticeKind.TRAIL_ARMED: ("🛡️ Trailing stop armed", "detail"),
    NoticeKind.TRAIL_MOVED: ("🛡️ Trailing stop moved", "detail"),
    NoticeKind.PROTECTION_UNKNOWN: ("🚨 Protection unknown", "detail"),
    NoticeKind.NO_STOP: ("🚨 No stop", "detail"),
    NoticeKind.PROTECTIVE_EXIT_FAILED: ("🚨 Protective exit failed", "detail"),
    NoticeKind.PROTECTED_AGAIN: ("🛡️ Protected again", "detail"),
}
"""Kinds whose first line says what happened; the order with them may have failed, and the units it brought are held."""
