"""Find keys that are misspelt by one letter, where what they say would be left out of an order."""

from functools import lru_cache

from alerts.formats.layout import Layout
from alerts.formats.sheet import Found, Sheet, is_number
from alerts.formats.words import FIELDS, ORDER_TYPES, Role
from alerts.sanitising import shown
from domain.errors import InvalidAlert

_ROLES = (Role.QUANTITY, Role.SIZE, Role.ORDER_TYPE, Role.LIMIT, Role.TRIGGER)
"""Where nothing is read, a default or another field takes the place of these."""
_ORDINARY = frozenset(("ltprice", "ltpprice", "ltdprice", "topprice", "stepprice", "contract", "triggers"))
"""Keys of charts and quotes that are near to one of an order by chance."""
_SHORTEST, _LONGEST = 7, 30  # letters: a short key is too near to others, as `shares` to `sharpe`


def _without_one(key: str) -> set[str]:
    return {key[:at] + key[at + 1 :] for at in range(len(key))}


_NEAR = {
    each: (key, role)
    for role in _ROLES
    for key in FIELDS[role]
    if len(key) >= _SHORTEST
    for each in (key, *_without_one(key))
}


def refuse_misspelt(sheet: Sheet, layout: Layout) -> None:
    """Refuse an entry with a key that is nearly one of a size, a price or a kind of order, and says such a thing.

    Raises:
        InvalidAlert: code `AMBIGUOUS`; the message names the key that is meant.
    """
    for path, found in sheet:
        meant = None if "." in path or path in layout.roles else _meant(path)
        if meant is not None and not found.is_nested and found.asks and _says(found, meant[1]):
            message = (
                f"{found.key} {shown(found.value)} may be misspelt: send it as {meant[0]}, or leave it out"
            )
            raise InvalidAlert("AMBIGUOUS", message, found.key)


@lru_cache(2048)  # every alert of a template has the same keys
def _meant(path: str) -> tuple[str, Role] | None:
    """The key that a path is when one letter is taken out of one of them, or out of both."""
    if path in _ORDINARY or not _SHORTEST - 1 <= len(path) <= _LONGEST:
        return None
    return next((_NEAR[each] for each in (path, *sorted(_without_one(path))) if each in _NEAR), None)


def _says(found: Found, role: Role) -> bool:
    return found.word() in ORDER_TYPES if role is Role.ORDER_TYPE else is_number(found)
