"""Make a dialect from its layout."""

from collections.abc import Mapping, Sequence
from decimal import DecimalException

from alerts.decoding import Body, Form
from alerts.formats import fields as readers
from alerts.formats.broker_notice import refuse_notice_of_a_broker
from alerts.formats.description import AskedFor, Dialect
from alerts.formats.intents import not_built
from alerts.formats.layout import Commands, Layout
from alerts.formats.legs import legs_of
from alerts.formats.secret_keys import FirstWord, SecretKeys
from alerts.formats.sheet import Sheet
from alerts.formats.words import NOTES, SECRET_KEYS, Role
from alerts.reading import Fields, Reading, plain
from alerts.sanitising import shown
from domain.alert import LegRequest, ParsedAlert
from domain.alert_defaults import NO_DEFAULTS, AlertDefaultsBook
from domain.enums import ExecutionType, Side
from domain.errors import InvalidAlert, NothingAsked

MAX_LEGS = 20
MAX_UNREAD = 40
"""Keys that are listed as not read."""
_CLIENT = "clientid"


def dialect_of_layout(layout: Layout) -> Dialect:
    """The dialect of a layout."""
    secret = FirstWord() if layout.secret_first else SecretKeys(layout.secret or SECRET_KEYS)

    first = layout.needs[0].partition(".")[0] if layout.needs else None

    def recognises(body: Body) -> bool:
        reading = body.reading
        if first is not None and first not in reading.keys:  # of most dialects this is all that is looked at
            return False
        return _recognises(layout, reading)

    def asked_for(body: Body) -> AskedFor:
        return _asked_for(layout, body.reading)

    def parse(body: Body, *, default_client: str, defaults: AlertDefaultsBook = NO_DEFAULTS) -> ParsedAlert:
        try:
            return _parse(layout, body.reading, default_client, defaults)
        except DecimalException:
            raise InvalidAlert(
                "INVALID", "expected numbers of at most 28 digits, got a longer one", "body"
            ) from None

    return Dialect(
        name=layout.name,
        form=Form.TEXT,
        recognises=recognises,
        secret=secret,
        client_of=lambda body: _client_of(body.reading),
        asked_for=asked_for,
        parse=parse,
    )


def _recognises(layout: Layout, reading: Reading) -> bool:
    fields = reading.fields
    if layout.split is not None and not (layout.needs or layout.marks):
        try:
            return layout.split(reading) is not None
        except InvalidAlert:
            return True
    if fields is None:
        return False
    keys = reading.keys
    for key in layout.needs:
        if not _has(fields, keys, key):
            return False
    if layout.marks and not any(_has(fields, keys, key) for key in layout.marks):
        return False
    return all(_value(fields, keys, key) in words for key, words in layout.values.items())


def _client_of(reading: Reading) -> str | None:
    """The client that a body names, as in the native format: its secret is asked for, and it alone trades the alert."""
    named = (reading.fields or {}).get(reading.keys.get(_CLIENT, ""))
    return (named.strip() or None) if isinstance(named, str) else None


def _refuse_other_clients(sheets: Sequence[Sheet], named: str | None) -> None:
    """Refuse a client that is named where it was not looked for, when the sender's secret was.

    Raises:
        InvalidAlert: code `INVALID`.
    """
    for sheet in sheets:
        for path, found in sheet:
            *holders, key = path.split(".")
            if key != _CLIENT or not NOTES.isdisjoint(holders) or found.value in (None, "", named):
                continue
            if not isinstance(found.value, str) or found.value.strip() not in ("", named):
                message = "expected one client, as a text beside the secret, or none"
                raise InvalidAlert("INVALID", f"{message}, got {shown(found.value)}", found.key)
        sheet.at(_CLIENT)


def _has(fields: Fields, keys: Mapping[str, str], path: str) -> bool:
    if path in keys:
        return True
    first, dot, rest = path.partition(".")
    if not dot or first not in keys:
        return False
    inner = fields[keys[first]]
    return isinstance(inner, dict) and any(plain(key) == rest for key in inner)


def _value(fields: Fields, keys: Mapping[str, str], key: str) -> str:
    value = fields.get(keys.get(key, ""))
    return plain(value) if isinstance(value, str) else ""


def _commands(layout: Layout, reading: Reading) -> Commands:
    """The commands of a body.

    Raises:
        InvalidAlert: there are none, or several where one is expected.
    """
    if layout.split is not None:
        commands = layout.split(reading)
        if commands is not None:
            return commands
    if reading.fields is None:
        if reading.items:
            message = f"expected one command, got {len(reading.items)}: send each as an alert of its own"
            raise InvalidAlert("AMBIGUOUS", message, "body")
        raise reading.error or InvalidAlert(
            "UNREADABLE", "expected fields of an order, got free text", "body"
        )
    found = [(key, value) for key, value in reading.fields.items() if plain(key) in layout.legs]
    if not found:
        return Commands([reading.fields])
    key, legs = found[0]
    shared = {name: value for name, value in reading.fields.items() if name != key}
    if len(found) > 1 or not isinstance(legs, list) or not all(isinstance(leg, dict) for leg in legs):
        raise InvalidAlert("INVALID", f"expected one list of legs, got {shown(legs)}", key)
    return Commands(legs, shared)


def _parse(layout: Layout, reading: Reading, client: str, book: AlertDefaultsBook) -> ParsedAlert:
    commands = _commands(layout, reading)
    if layout.asks_nothing:
        raise NothingAsked("NOTHING_ASKED", "a notice for people, which asks for no order", "body")
    if not 1 <= len(commands.commands) <= MAX_LEGS:
        message = f"expected 1 to {MAX_LEGS} legs, got {len(commands.commands)}"
        raise InvalidAlert("INVALID", message, "legs" if layout.legs else "body")
    roles = layout.roles
    sheets = [Sheet([each, commands.shared], roles) for each in commands.commands]
    for sheet in sheets:
        refuse_notice_of_a_broker(sheet, layout)
    named = _client_of(reading)
    _refuse_other_clients(sheets, named)
    strategy = _strategy(sheets, book)
    defaults = book.for_strategy(strategy)
    legs = tuple(leg for sheet in sheets for leg in legs_of(sheet, layout, defaults))
    types = {leg.kind.execution_type for leg in legs}
    if ExecutionType.CANCEL in types and len(types) > 1:
        raise InvalidAlert("AMBIGUOUS", "got a cancel and an order: send them as two alerts", "body")
    if len(types) + (ExecutionType.ADJUST in types) > 1 and len(sheets) > 1:
        raise not_built("an entry and an exit in one alert", "send them as two alerts", "body")
    _refuse_contradiction(legs)
    return ParsedAlert(
        format=layout.name,
        client_id=named or client,
        strategy_name=strategy,
        execution_type=types.pop() if len(types) == 1 else ExecutionType.ADJUST,
        legs=legs,
        signal_id=_signal_id(sheets[0]),
        repairs=reading.repairs,
        unread=_unread(layout, sheets),
    )


def _unread(layout: Layout, sheets: Sequence[Sheet]) -> tuple[str, ...]:
    """The keys that nothing was read from, but that of the secret."""
    secret = {plain(key) for key in layout.secret or SECRET_KEYS}
    keys = dict.fromkeys(key for sheet in sheets for key in sheet.unread())
    return tuple(key for key in keys if plain(key.rpartition(".")[2]) not in secret)[:MAX_UNREAD]


def _strategy(sheets: Sequence[Sheet], book: AlertDefaultsBook) -> str:
    named = {str(each.value).strip() for sheet in sheets if (each := sheet.find(Role.STRATEGY)) is not None}
    if len(named) > 1:
        raise InvalidAlert("CONTRADICTION", "expected one strategy in one alert, got several", "strategy")
    name = next(iter(named), None) or book.strategy_name
    if name is None:
        message = (
            "expected a strategy here, or strategy_name in [default] of config/strategies.toml, got none"
        )
        raise InvalidAlert("MISSING", message, "strategy")
    try:
        return readers.read_name(name)
    except ValueError:
        message = f"expected 1 to 80 printable characters, got {shown(name)}"
        raise InvalidAlert("INVALID", message, "strategy") from None


def _signal_id(sheet: Sheet) -> str | None:
    found = sheet.find(Role.SIGNAL)
    if found is None:
        return None
    try:
        return readers.read_signal_id(found.value)
    except ValueError:
        message = f"expected 1 to 128 printable characters, got {shown(found.value)}"
        raise InvalidAlert("INVALID", message, found.key) from None


def _refuse_contradiction(legs: Sequence[LegRequest]) -> None:
    sides: dict[tuple[str, str], Side | None] = {}
    for leg in legs:
        side = sides.setdefault((leg.exchange, leg.symbol), leg.side)
        if side is not leg.side:
            raise InvalidAlert(
                "CONTRADICTION", "expected one side of a symbol in one alert, got both", "side"
            )


def _asked_for(layout: Layout, reading: Reading) -> AskedFor:
    """What a body asks for, as far as it can be read: never an error."""
    try:
        commands = _commands(layout, reading)
        sheets = [Sheet([each, commands.shared], layout.roles) for each in commands.commands[:MAX_LEGS]]
        if not sheets:
            return AskedFor()
        strategy, signal = _first(sheets[0], Role.STRATEGY), _first(sheets[0], Role.SIGNAL)
        named = [_first(sheet, Role.SYMBOL) or _first(sheet, Role.SYMBOL_TOO) for sheet in sheets]
        symbols = [symbol for symbol in named if symbol is not None]
        return AskedFor(strategy, signal, None, symbols)
    except InvalidAlert:
        return AskedFor()


def _first(sheet: Sheet, role: Role) -> object:
    return next((each.value for each in sheet.every(role) if not each.is_empty), None)
