"""Tell from a key what it may ask for, though nothing reads it: an exit, a size, a protection. Doubt counts as asking.

A key is suspected by what it contains, and cleared only where all of its words are ordinary ones, which stand in
`alerts/formats/ordinary.py`: `candle_close`, `net_profit`, `tick_size` describe the bar, the backtest and the
instrument. Where words run together (`candleclose`), they are told apart by what is known; what is not stays suspected.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from alerts.formats import ordinary
from alerts.formats.sheet import Found
from alerts.formats.words import CONTAINERS
from alerts.reading import plain

_LONGEST = 60  # characters of a key; no word of a longer one clears it
_RUN_TOGETHER = 30  # characters of words without anything between them that are told apart
_LONGEST_WORD = 12

PROTECTION = re.compile(
    r"(.*\.)?((long|short)?(sl|tp)\d*(price|percent|pct|pips|points|offset|ticks|usd)?\d*"
    r"|(dollar|percentage|percent|pct|points|ticks|pips)(sl|tp)"
    r"|.*(stoploss|takeprofit|trailing|breakeven|profit|stopprice\d).*|(trail|target|tgt|bracket).*"
    r"|stop(level|distance|percent|pct|points|pips|ticks|offset)?|limitdistance|exitprice|squareoff|hedge|tsl.*|slvalue|protectivestop|maxloss)"
)
"""Plain keys that ask for a protection of the position."""

SIZING = re.compile(
    r"size|amount|qty|quantit|percent|pct|(?<!p)lot|vol|notional|risk|equity|capital|cash|usd|dollar|contracts"
    r"|shares|units|margin|invest|alloc|balance|fund|quote$|ratio(?!n)|fraction|portion|partial"
)
"""In a word: it may name a size. Where no quantity is named, none may be passed over for the default."""

OPTION = re.compile(
    r"(.*\.)?(optiontype|strike|strikeprice|expiry|expirydate|expiration|strikesaway|intrinsicvalue|offset|right)"
)
"""Plain keys that describe an option instead of naming it."""

SIMULATED = re.compile(r"(is)?(pape[r].*|sandbox|simulat.*|dryrun|demo|test(mode|net)?)")
"""Plain keys that ask for no real order. (The brackets: one of them is the name of a broker of ours.)"""

_NOT_REAL = re.compile(r"pape[r](trad(e|ing))?|sandbox|simulat(ed?|ion)|testnet|dryrun|demo")
_EXIT = re.compile(r"exit|clos(e|ing)|flat|reduce|cover|squareoff|unwind|liquidat|(tp|sl|target|stop)\w*hit")
_EXIT_OF_VALUE = re.compile(
    r"exit|clos(e|ing)|flat|cover|reduce|unwind|liquidat|squareoff|stop|target|sl(?!p)|tp"
)

_SUSPECTED = re.compile(f"{SIZING.pattern}|{_EXIT_OF_VALUE.pattern}|profit")
_PIECE = re.compile(r"[A-Za-z0-9]+")
_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_KNOWN = (
    frozenset({"close", "closed", "closing", *ordinary.ABOUT, *ordinary.ALIASES}).union(
        *ordinary.ABOUT.values()
    )
    | ordinary.BEFORE_CLOSE
    | ordinary.BEHIND_CLOSE
    | ordinary.BESIDE_CLOSE
    | ordinary.BESIDE
    | ordinary.OF_STATES
    | ordinary.OF_STATES_TOO
    | ordinary.OF_SOURCES
    | ordinary.PARTS
)


class Traits(NamedTuple):
    """What a key may ask for, beside a place in an order.

    - `closes`: where it is a switch; with a price it is the close of a day or so.
    - `is_state`: of the market, so that `flat` there is no position.
    - `is_source`: what an indicator is reckoned from, so that `close` there is a price.
    """

    protects: bool
    sizes: bool
    names_option: bool
    simulates: bool
    exits: bool
    closes: bool
    is_state: bool
    is_source: bool


def traits_of(path: str, key: str) -> Traits:
    """The traits of a field.

    Args:
        path: its key and those of the objects in which it stands, as `plain` writes them.
        key: the same as it was sent, for its words.
    """
    return (
        _traits(path, key)
        if len(key) <= _LONGEST and len(path) <= _LONGEST
        else _traits.__wrapped__(path, key)
    )


@lru_cache(4096)  # every alert of a template has the same keys
def _traits(path: str, key: str) -> Traits:
    is_whole = len(key) <= _LONGEST and plain(key).endswith(path)  # a long key is described, not written
    words = _own_words(key) if is_whole else (path,)
    return Traits(
        protects=_protects(path, words),
        sizes=_sizes(words),
        names_option=OPTION.fullmatch(path) is not None,
        simulates=SIMULATED.fullmatch(path) is not None or any(map(_NOT_REAL.fullmatch, words)),
        exits=_exits(path.rpartition(".")[2], words, _EXIT),
        closes=words[-1:] == ("close",) and ordinary.BARS.isdisjoint(words),
        is_state=_consists_of(words, ordinary.OF_STATES | ordinary.OF_STATES_TOO)
        and not _consists_of(words, ordinary.OF_STATES_TOO),
        is_source=_consists_of(words, ordinary.OF_SOURCES),
    )


def describes(found: Found, traits: Traits) -> bool:
    """Whether a word that could close is said of the market: a trend that is flat, an average of the close."""
    return (traits.is_state and found.word() == "flat") or (traits.is_source and found.word() == "close")


def is_suspected(path: str) -> bool:
    """Whether a plain key contains a word of an exit or of cancelling, whatever it is beside it."""
    return path.startswith("cancel") or _EXIT.search(path) is not None


def may_be_an_exit(value: str) -> bool:
    """Whether a word that is not known may be of an exit."""
    return _exits(plain(value), words_of(value), _EXIT_OF_VALUE)


# words -------------------------------------------------------------------------------------------------------


def words_of(text: str) -> tuple[str, ...]:
    """The words of a key or a value in small letters, split at capitals and at what is neither letter nor digit."""
    if len(text) > _LONGEST:
        return (plain(text),)
    return tuple(part for piece in _PIECE.findall(text) for word in _split(piece) for part in _parted(word))


def _split(piece: str) -> list[str]:
    """A text without separators, split at its capitals, unless that would hide a word that may ask for something."""
    found = [each.lower() for each in _SPLIT.findall(piece)]
    whole = piece.lower()
    hidden = _SUSPECTED.search(whole) and not any(map(_SUSPECTED.search, found))
    return [whole] if hidden else found


def _own_words(key: str) -> tuple[str, ...]:
    """The words of a key, without those of objects that say nothing about it."""
    *holders, own = key.split(".")
    said = [each for each in holders if plain(each) not in CONTAINERS | ordinary.HOLDERS]
    return tuple(word for each in (*said, own) for word in words_of(each))


def _parted(word: str) -> Sequence[str]:
    """The known words of which a word consists; the word itself where it does not."""
    if word in _KNOWN or len(word) > _RUN_TOGETHER or ordinary.WORDS.fullmatch(word):
        return (word,)
    ways: list[tuple[str, ...] | None] = [(), *[None] * len(word)]
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - _LONGEST_WORD), end):
            before = ways[start]
            if before is None:
                continue
            piece = word[start:end]
            if (len(piece) > 1 and piece in _KNOWN) or (before and ordinary.NUMBER.fullmatch(piece)):
                ways[end] = (*before, piece)
                break
    return ways[-1] or (word,)


def _consists_of(words: Sequence[str], known: frozenset[str]) -> bool:
    own = [word.rstrip("0123456789") for word in words if not ordinary.NUMBER.fullmatch(word)]
    return bool(own) and known.issuperset(own)


# what is cleared ---------------------------------------------------------------------------------------------


def _is_about(word: str, words: Sequence[str]) -> bool:
    """Whether this word describes something, and asks for nothing, beside all of the others."""
    head = ordinary.ALIASES.get(word, word)
    others = {each for each in words if each != word and not ordinary.NUMBER.fullmatch(each)}
    about = ordinary.ABOUT.get(head, frozenset())
    is_about = not about.isdisjoint(others)
    return is_about and (about | ordinary.BESIDE | ordinary.ABOUT.keys()).issuperset(others)


def _protects(path: str, words: Sequence[str]) -> bool:
    if PROTECTION.fullmatch(path) is None:
        return False
    is_for_profit = "profit" in words and PROTECTION.fullmatch(path.replace("profit", "")) is None
    return not (is_for_profit and _is_about("profit", words))


def _sizes(words: Sequence[str]) -> bool:
    suspected = [word for word in words if SIZING.search(word) and not ordinary.WORDS.fullmatch(word)]
    return not all(_is_about(word, words) for word in suspected)


def _exits(last: str, words: Sequence[str], suspected: re.Pattern[str]) -> bool:
    """Whether a key or a word may ask for an exit. `last`: all of it, as `plain` writes it."""
    if suspected.search(last) is None:
        return False
    hits = [
        place
        for place, word in enumerate(words)
        if suspected.search(word) and not ordinary.WORDS.fullmatch(word)
    ]
    if not hits:  # found across words: `squareOff`, `tp_hit`; or by chance
        return re.search(r"squareoff|(tp|sl|target|stop)\w*hit", last) is not None
    return not all(_is_a_price(words, place) for place in hits)


def _is_a_price(words: Sequence[str], place: int) -> bool:
    """Whether the word at this place is the `close` of a bar: by the word before it and all behind it."""
    if words[place] not in ("close", "closed", "closing"):
        return False
    behind = [word for word in words[place + 1 :] if not ordinary.NUMBER.fullmatch(word)]
    if not ordinary.BEHIND_CLOSE.issuperset(behind):
        return False
    if place and words[place - 1] in ordinary.BEFORE_CLOSE:
        return (ordinary.BESIDE | ordinary.BEFORE_CLOSE | ordinary.BESIDE_CLOSE).issuperset(
            words[: place - 1]
        )
    return place == 0 and bool(behind) and behind[0] in ordinary.CLOSE_OF_A_TIME
