"""Repair JSON that was damaged on its way, where what was meant is certain. Each repair is named."""

import re

from alerts import strict_json
from domain.errors import InvalidAlert

_TYPOGRAPHIC = str.maketrans(dict.fromkeys("“”„‟«»″", '"'))
_ANY_TYPOGRAPHIC = re.compile("[“”„‟«»″]")
# A text of JSON, or one piece between texts. Possessive counts: no backtracking, the sender is a stranger.
_PIECES = re.compile(r'"(?:[^"\\]++|\\.)*+"|[^"]++|"', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(?=\s*+[}\]])")
_MOST_QUOTES = 4_000  # in a body that is repaired: each costs time before the sender is known
_CONTROL = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
_CONTROLS = re.compile(r"[\n\r\t]")


def repaired(text: str) -> tuple[object, tuple[str, ...]] | None:
    """Return what damaged JSON means, and the repairs in words; None where that is not certain.

    Repaired are typographic quotes (where there is no plain one: with both kinds it cannot be told which end a text),
    a comma before a closing bracket, line ends and tabs inside a text, and JSON that was put into a text. Comments,
    missing commas, single quotes, bare words and several documents are not.
    """
    repairs = []
    if _ANY_TYPOGRAPHIC.search(text) and '"' not in text:
        text = text.translate(_TYPOGRAPHIC)
        repairs.append("typographic quotes read as plain ones")
    if text.count('"') > _MOST_QUOTES:
        return None
    pieces = _PIECES.findall(text)
    commas = controls = 0
    for index, piece in enumerate(pieces):
        if piece[0] == '"':
            if _CONTROLS.search(piece):
                pieces[index] = _CONTROLS.sub(lambda found: _CONTROL[found[0]], piece)
                controls += 1
        elif "," in piece:
            pieces[index], count = _TRAILING_COMMA.subn("", piece)
            commas += count
    if commas:
        repairs.append("a comma before a closing bracket left out")
    if controls:
        repairs.append("line ends inside a text kept as such")
    if not repairs:
        return None
    try:
        return strict_json.parse_any("".join(pieces)), tuple(repairs)
    except InvalidAlert:
        return None
