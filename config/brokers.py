"""What a broker adds to the settings: the base of its models, and how their fields join all the others."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypeVar, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from config.fields import lower

Model = TypeVar("Model", bound=BaseModel)

Complaint = tuple[str, str]
"""A field, and what is wrong with its value."""


class AccountSettings(BaseModel):
    """A broker's settings of one account. They may differ between clients, and each field needs a default.

    The setting of a field is called after the broker: `user_id` of the broker `xyz` is `XYZ_USER_ID` in the environment
    and `xyz_user_id` in the clients file.

    `user_field`: the field with the user's id at the broker. None: the broker knows an account by its client's id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    user_field: ClassVar[str | None] = None

    @property
    def user(self) -> str | None:
        """The user's id at the broker; None where it is not set, or the broker has no users."""
        return None if self.user_field is None else getattr(self, self.user_field)

    @property
    def is_sandbox(self) -> bool:
        """True where this account is at a real broker's venue for trials: its orders cost no money."""
        return False

    def missing(self) -> Iterable[str]:
        """The fields that must be set before this account can be traded."""
        return ()

    def problems(self) -> Iterable[Complaint]:
        """What does not fit together among the account's own settings."""
        return ()


class SharedSettings(BaseModel):
    """A broker's settings that all its accounts share, from the environment alone; named as those of an account."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    def problems(self, orders_db: Path) -> Iterable[Complaint]:
        """What does not fit together with the rest of the settings."""
        return ()


class KnownBroker(Protocol):
    """What the settings need to know of a broker."""

    @property
    def name(self) -> str:
        """What BROKER says, in small letters."""

    @property
    def is_real(self) -> bool:
        """True where orders can cost money."""

    @property
    def account(self) -> type[AccountSettings]: ...

    @property
    def shared(self) -> type[SharedSettings]: ...


Brokers = Mapping[str, KnownBroker]
"""The brokers by name. The first one is the default of BROKER."""


def account_fields(brokers: Brokers) -> dict[str, Any]:
    """The definitions, for `pydantic.create_model`, of BROKER and of all brokers' settings of an account."""
    names = list(brokers)
    rest, last = names[:-1], names[-1]
    said = f"{', '.join(rest)} or {last}" if rest else last
    choice = BeforeValidator(lower), Field(description=said)
    fields: dict[str, Any] = {"broker": (Annotated[Literal[tuple(names)], *choice], names[0])}
    for broker in brokers.values():
        fields |= _prefixed(broker.name, broker.account)
    return fields


def shared_fields(brokers: Brokers) -> dict[str, Any]:
    """The definitions of all brokers' shared settings."""
    return {
        name: field for each in brokers.values() for name, field in _prefixed(each.name, each.shared).items()
    }


def part(broker: str, model: type[Model], settings: BaseModel) -> Model:
    """The values of `model` among settings that were made with the definitions above."""
    return model.model_validate(
        {field: getattr(settings, f"{broker}_{field}") for field in model.model_fields}
    )


def _prefixed(broker: str, model: type[BaseModel]) -> dict[str, Any]:
    hints = get_type_hints(model, include_extras=True)
    return {f"{broker}_{name}": (hints[name], field.default) for name, field in model.model_fields.items()}
