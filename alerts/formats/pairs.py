"""Platforms whose alerts are pairs of key and value: OctoBot, CrossTrade, Frostybot, Autoview."""

import re

from alerts.formats.guards import Guard, Part
from alerts.formats.layout import Commands, Layout, SizeUnit
from alerts.formats.words import FIELDS, Act, Meaning, Role
from alerts.reading import Fields, Reading, plain
from domain.errors import InvalidAlert
from domain.protection_terms import LevelUnit
from domain.sizing import SizeMode

_FROSTYBOT = re.compile(
    r"trade:([\w\-]{1,64}):([a-z]{1,20})((?:\s++[\w.\-]{1,64}=\S{1,128}+){1,20})", re.IGNORECASE
)
_MONEY_OF_FROSTYBOT = frozenset(("size", "quote"))
_LONGEST = 2_000
_AUTOVIEW = {
    "e": "exchange", "s": "symbol", "b": "side", "q": "quantity", "t": "ordertype", "p": "limitprice", "a": "a",
    "sl": "sl", "tp": "tp", "ts": "trailing", "l": "leverage", "u": "quantitytype", "delay": "delay",
}  # fmt: skip


def _frostybot(reading: Reading) -> Commands | None:
    match = _FROSTYBOT.fullmatch(reading.said) if len(reading.said) <= _LONGEST else None
    if match is None:
        return None
    given = _pairs(match[3])
    if _MONEY_OF_FROSTYBOT & given.keys():
        unknown = given.keys() - _MONEY_OF_FROSTYBOT - {"symbol", "price", "reduce"}
        if unknown:
            raise InvalidAlert(
                "UNKNOWN_KEY", "expected symbol and price beside a size in money", min(unknown)
            )
        if "price" in given:
            given = {**given, "type": "limit"}  # a price makes it one there
    return Commands([{"strategy": match[1], "action": match[2], **given}])


def _pairs(text: str) -> Fields:
    pairs = [part.lower().partition("=")[::2] if "=" in part else (part, "") for part in text.split()]
    originals = [part.partition("=")[2] for part in text.split()]
    fields = dict(zip([key for key, _ in pairs], originals, strict=True))
    if len(fields) != len(pairs) or "" in fields:
        raise InvalidAlert("INVALID", "expected key=value pairs, each key once", "body")
    return fields


def _autoview(reading: Reading) -> Commands | None:
    text = reading.said
    if (
        len(text) > _LONGEST
        or not re.search(r"(?:^|\s)s=\S", text)
        or not re.search(r"(?:^|\s)[bc]=\S", text)
    ):
        return None
    if not re.search(r"(?:^|\s)e=\S", text):
        return None
    if "|" in text or "\n" in text:
        raise InvalidAlert(
            "AMBIGUOUS", "expected one command, got several: send each as an alert of its own", "body"
        )
    given = _pairs(text)
    unknown = given.keys() - _AUTOVIEW.keys() - {"c"}
    if unknown:
        raise InvalidAlert("UNKNOWN_KEY", "expected keys of Autoview that are known here", min(unknown))
    fields = {_AUTOVIEW[key]: value for key, value in given.items() if key != "c"}
    if "c" in given:
        close = {"order": "cancel", "position": "close"}.get(str(given["c"]).lower())
        if close is None:
            raise InvalidAlert("INVALID", "expected order or position", "c")
        fields["action"] = close
    return Commands([fields])


_OF_OCTOBOT = frozenset(("tag", "botid", "token", "paramside"))


def _octobot(reading: Reading) -> Commands | None:
    """By a key of its own, else by four keys of a text. `volume` beside the usual keys in JSON is that of the bar."""
    keys = reading.keys
    if reading.fields is None or not {"symbol", "signal"} <= keys.keys():
        return None
    is_text = not reading.said.lstrip().startswith(("{", "["))
    if _OF_OCTOBOT.isdisjoint(keys) and not (is_text and {"exchange", "ordertype"} <= keys.keys()):
        return None
    stop = keys.get("stopprice")
    if stop is None or plain(str(reading.fields.get(keys.get("ordertype", "")))) == "stop":
        return Commands([reading.fields])
    others = {key: value for key, value in reading.fields.items() if key != stop}
    return Commands([others | {"stop_loss_price": reading.fields[stop]}])  # beside another order it protects


OCTOBOT = Layout(
    name="octobot",
    split=_octobot,
    secret=("token",),
    fields={
        Role.SIDE: ("signal",),
        Role.SIDE_TOO: (),
        Role.QUANTITY: ("volume", *FIELDS[Role.QUANTITY]),
        Role.SIZE: (),
        Role.LIMIT: ("price",),
        Role.PRICE: (),
        Role.ORDER_TYPE: ("ordertype",),
    },
    sizes={"volume": {"q": SizeUnit(SizeMode.NOTIONAL)}},
    guards={
        "stoplossprice": Guard(Part.STOP, LevelUnit.PRICE),
        "takeprofitprice": Guard(Part.TARGET, LevelUnit.PRICE),
    },
    cancel_side=("paramside",),
    guards_where={"signal": frozenset(["buy"])},  # a sell may be an exit, and these its orders
)
CROSSTRADE = Layout(
    name="crosstrade",
    needs=("command", "instrument"),
    marks=("account", "key", "action"),
    secret=("key",),
    words={"place": Meaning(Act.ENTRY)},
    fields={Role.SIDE: ("action", "command"), Role.SYMBOL: ("instrument",), Role.SIDE_TOO: ()},
)
FROSTYBOT = Layout(
    name="frostybot",
    split=_frostybot,
    sizes={
        "size": {"": SizeUnit(SizeMode.NOTIONAL, "USD")},
        "quote": {"": SizeUnit(SizeMode.NOTIONAL)},
    },
)
AUTOVIEW = Layout(name="autoview", split=_autoview, secret=("a",))

PAIRS = (OCTOBOT, CROSSTRADE, FROSTYBOT, AUTOVIEW)
