"""Find everything that is wrong with the settings, so that the operator sees all of it at once."""

import tomllib
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from domain.database_url import without_password

Model = TypeVar("Model", bound=BaseModel)

NameOf = Callable[[str], str]
"""Turns a field's name into what the operator calls it: `port` → `PORT`."""


class SettingsError(Exception):
    """The settings cannot be used.

    `problems` has a line for each: the setting, what was given (a secret is never shown), what was expected.
    """

    def __init__(self, problems: Collection[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Problems:
    """Collects the errors in the settings. Only the first one of a setting is kept; later ones would follow from it."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}

    def add(self, name: str, complaint: str) -> None:
        """Record an error of the setting called `name`."""
        self._lines.setdefault(name, f"{name}: {complaint}")

    def raise_any(self) -> None:
        """End the check.

        Raises:
            SettingsError: an error was recorded.
        """
        if self._lines:
            raise SettingsError(self._lines.values())


def checked(model: type[Model], given: Mapping[str, Any], problems: Problems, name_of: NameOf) -> Model:
    """Build `model` from the given values. A value that is not valid is recorded, and its default is used instead.

    Every field of `model` has a default and, in its type, a description that completes "expected …".
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        wrong = list(dict.fromkeys(str(item["loc"][0]) for item in error.errors()))
    for name in wrong:
        field = model.model_fields.get(name)
        if field is None:
            problems.add(name_of(name), unknown(name, model.model_fields))
        else:
            problems.add(name_of(name), f"got {_shown(field, given[name])}, expected {_expected(field)}")
    return model.model_validate({name: value for name, value in given.items() if name not in wrong})


def unknown(name: str, known: Collection[str], otherwise: str | None = None) -> str:
    """Describe an unknown name, with the name that was probably meant.

    `otherwise` is the hint when no known name is similar; by default all known names are listed.
    """
    near = get_close_matches(name, sorted(known), n=1)
    hint = f"did you mean {near[0]}?" if near else otherwise or f"expected one of {', '.join(sorted(known))}"
    return f"unknown, {hint}"


def read_toml(path: Path, problems: Problems) -> dict[str, Any]:
    """Parse a TOML file, with fractions as Decimal. An error is recorded, and the result is empty then."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        problems.add(str(path), f"cannot be read: {error.strerror}")
    except ValueError as error:  # not TOML, or not UTF-8
        problems.add(str(path), f"expected a TOML file: {error}")
    return {}


def tables_in(parent: object, path: Path, name: str, problems: Problems) -> dict[str, dict[str, Any]]:
    """The tables inside the table `name` of the file; anything else in it is recorded as an error."""
    if not isinstance(parent, dict):
        problems.add(f"{path} [{name}]", f"expected tables [{name}.<name>]")
        return {}
    for key in parent:
        if not isinstance(parent[key], dict):
            problems.add(f"{path} [{name}] {key}", f"expected a table [{name}.{key}]")
    return {key: value for key, value in parent.items() if isinstance(value, dict)}


def _expected(field: FieldInfo) -> str:
    # The description of `Amount | None` belongs to `Amount`, inside the union.
    notes = [note for kind in get_args(field.annotation) for note in getattr(kind, "__metadata__", ())]
    descriptions = [field.description, *(getattr(note, "description", None) for note in notes)]
    return next(text for text in descriptions if text)


def _shown(field: FieldInfo, value: object) -> str:
    if "SecretStr" in repr(field.annotation):
        return "a value (not shown)"
    if isinstance(value, str):
        return repr(without_password(value))
    return str(value) if isinstance(value, Decimal) else repr(value)
