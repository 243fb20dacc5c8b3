"""Platforms whose alerts are words in an order of their own."""

import re

from alerts.formats.layout import Commands, Layout
from alerts.formats.words import WORDS, Role
from alerts.reading import Reading, plain
from domain.errors import InvalidAlert

_LONGEST = 2_000
_SIDE = r"(?P<action>buy|sell)"
_NUMBER = r"(?P<quantity>\d{1,12})"
_SYMBOL = r"(?P<symbol>[A-Za-z0-9&_.:!/\-]{1,64})"
_POSITIONAL = re.compile(rf"{_SYMBOL}\s{{1,9}}+{_SIDE}\s{{1,9}}+{_NUMBER}", re.IGNORECASE)
# A contract's name has its date or strike; its number may be lots.
_IN_LOTS = re.compile(r".*(\d.*\d|\d!|-|FUT|\d[CP]E).*", re.IGNORECASE)
_LICENSE = re.compile(
    r"\s*([A-Za-z0-9]{5,40}|)\s*,\s*([A-Za-z]{3,24})\s*,\s*([A-Za-z0-9.#_!/\-]{1,64})\s*(?:,(.*))?"
)
# Each pair begins behind a bar: were the bar optional, a text could be cut into pairs in ever so many ways.
_STOXXO = re.compile(r"\|{0,2}[A-Za-z]{1,20}:[^|]{1,64}(?:\|{1,2}[A-Za-z]{1,20}:[^|]{1,64}){2,59}")
_WUNDER = re.compile(
    r"((?:ENTER|EXIT)-(?:LONG|SHORT|ALL))_([^_\s]{1,30})_([^_\s]{1,40})(?:_.{0,200})?", re.IGNORECASE
)
_BLOCK = re.compile(r"\s*[\w\-]{1,64}\(\s*([\w/.:\-]{1,64})\s*\)\s*\{([^{}]{1,1000})\}\s*", re.DOTALL)
_CALL = re.compile(r"([a-z]{1,20})\(([^()]{0,300})\)", re.IGNORECASE)


def _short(reading: Reading) -> str | None:
    return reading.said.strip() if reading.fields is None and len(reading.said) <= _LONGEST else None


def _positional(reading: Reading) -> Commands | None:
    """`INFY buy 10`. In any other order a number may be a strike, a price or a part of the name (`buy NIFTY 50`)."""
    text = _short(reading)
    match = _POSITIONAL.fullmatch(text) if text else None
    if match is None:
        return None
    if _IN_LOTS.fullmatch(match["symbol"]):
        message = "the quantity of a contract may be units or lots: send JSON with a quantity in units"
        raise InvalidAlert("AMBIGUOUS", message, "quantity")
    return Commands([match.groupdict()])


def _licensed(reading: Reading) -> Commands | None:
    """`60123456789,buy,EURUSD,risk=1`."""
    text = _short(reading)
    match = _LICENSE.fullmatch(text) if text else None
    if match is None or not (
        plain(match[2]) in WORDS or plain(match[2]).startswith(("close", "new", "buy", "sell"))
    ):
        return None
    fields: dict[str, object] = {"license": match[1], "action": match[2], "symbol": match[3]}
    for part in (match[4] or "").split(","):
        key, is_pair, value = (piece.strip() for piece in part.partition("="))
        if key in fields or bool(key) != bool(is_pair):
            raise InvalidAlert("INVALID", "expected key=value pairs after the symbol, each key once", "body")
        if key:
            fields[key] = value
    return Commands([fields])


def _stoxxo(reading: Reading) -> Commands | None:
    text = _short(reading)
    if not text or "|" not in text or "txn:" not in text.lower() or not _STOXXO.fullmatch(text):
        return None
    legs = []
    for leg in text.split("||"):
        pairs = [part.partition(":") for part in leg.split("|") if part]
        legs.append({key.lower(): value for key, _, value in pairs})
    return Commands(legs)


def _wunder(reading: Reading) -> Commands | None:
    code = (reading.fields or {}).get("code") if reading.fields is not None else _short(reading)
    match = _WUNDER.fullmatch(code.strip()) if isinstance(code, str) and len(code) <= _LONGEST else None
    if match is None:
        return None
    command = {"action": match[1], "exchange": match[2], "symbol": match[3]}
    return Commands([command], {key: each for key, each in (reading.fields or {}).items() if key != "code"})


def _block(reading: Reading) -> Commands | None:
    """`keys(SYMBOL) { market(side=buy, amount=1); }`."""
    text = _short(reading)
    match = _BLOCK.fullmatch(text) if text else None
    if match is None:
        return None
    steps = [step.strip() for step in match[2].split(";") if step.strip()]
    if len(steps) != 1:
        raise InvalidAlert(
            "AMBIGUOUS", "expected one command, got several: send each as an alert of its own", "body"
        )
    call = _CALL.fullmatch(steps[0])
    fields: dict[str, str] = {"symbol": match[1]}
    if call is not None and call[1].lower() == "cancel":
        fields["action"] = call[1]
    elif call is not None:
        fields["ordertype"] = call[1]
    for part in (call[2] if call else steps[0]).split(","):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key in fields:
            raise InvalidAlert("INVALID", "expected each key once", "body")
        fields[key] = value
    if "action" in fields and fields.get("which", "all").lower() == "all":
        fields.pop("which", None)
    return Commands([fields])


POSITIONAL = Layout(name="algotest", split=_positional)
PINECONNECTOR = Layout(name="pineconnector", split=_licensed, secret_first=True)
STOXXO = Layout(name="stoxxo", split=_stoxxo, fields={Role.SIDE: ("txn",)})
WUNDERTRADING = Layout(name="wundertrading", split=_wunder)
ALERTATRON = Layout(name="alertatron", split=_block, size_is_units=True)

TEXTS = (POSITIONAL, PINECONNECTOR, STOXXO, WUNDERTRADING, ALERTATRON)
