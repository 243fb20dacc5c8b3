"""The text of one column that keeps a group's combined protection, and of an alert's that brings one."""

import json
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from domain.combined import Combined, CombinedTerms, CombinedUnit
from domain.locks import Lock
from domain.money import decimal_text, optional_decimal
from domain.protection import Rule
from domain.times import parse_time, time_text

_AMOUNTS = ("stop_loss", "target", "trailing_value", "trail_when")


def combined_text(c: Combined | None) -> str | None:
    """Return the text that keeps it; None for none."""
    if c is None:
        return None
    kept = {f.name: _plain(getattr(c, f.name)) for f in fields(c) if f.name != "terms"}
    return json.dumps({"terms": _terms(c.terms), **kept}, separators=(",", ":"))


def terms_text(terms: CombinedTerms) -> str:
    """Return the text that identifies terms: the same for the same terms."""
    return json.dumps(_terms(terms), separators=(",", ":"))


def terms_facts(terms: CombinedTerms) -> dict[str, str]:
    """Return the terms as facts of an event."""
    lock = terms.lock
    locks = {} if lock is None else {"lock_at": lock.at, "lock_floor": lock.floor}
    more = {} if lock is None else {"step": lock.step, "trail": lock.trail}
    named = {name: getattr(terms, name) for name in _AMOUNTS} | locks | more
    return {"unit": terms.unit.value} | {n: decimal_text(v) for n, v in named.items() if v is not None}


def combined_from(text: str) -> Combined:
    """Read what `combined_text` wrote."""
    kept: dict[str, Any] = json.loads(text)
    terms = kept["terms"]
    lock = terms["lock"]
    rule = kept["fired_by"]
    return Combined(
        CombinedTerms(
            CombinedUnit(terms["unit"]),
            stop_loss=optional_decimal(terms["stop_loss"]),
            target=optional_decimal(terms["target"]),
            trailing_value=optional_decimal(terms["trailing_value"]),
            trail_when=optional_decimal(terms["trail_when"]),
            lock=None if lock is None else Lock(*(optional_decimal(each) for each in lock)),  # type: ignore[arg-type]
        ),
        best=Decimal(kept["best"]),
        kept=optional_decimal(kept["kept"]),
        is_armed=kept["is_armed"],
        locked_steps=kept["locked_steps"],
        unknown_since=_time(kept["unknown_since"]),
        is_unknown=kept["is_unknown"],
        fired_by=None if rule is None else Rule(rule),
        fired_at=_time(kept["fired_at"]),
        fired_profit=optional_decimal(kept["fired_profit"]),
        is_over=kept["is_over"],
    )


def _terms(terms: CombinedTerms) -> dict[str, object]:
    lock = terms.lock
    parts = None if lock is None else [_plain(each) for each in (lock.at, lock.floor, lock.step, lock.trail)]
    return {
        "unit": terms.unit.value,
        **{name: _plain(getattr(terms, name)) for name in _AMOUNTS},
        "lock": parts,
    }


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return time_text(value) if isinstance(value, datetime) else value


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
