"""The dialects of alerts: a name, which is part of the webhook's path, and one pure parse() for each."""

from collections.abc import Mapping
from typing import Protocol

from alerts.formats import native
from domain.alert import ParsedAlert


class Parse(Protocol):
    """Reads a document of one dialect."""

    def __call__(self, document: dict[str, object], *, default_client: str) -> ParsedAlert:
        """What the alert asks for; `default_client` is whom it is for when it names nobody.

        Raises:
            InvalidAlert: it cannot be traded on.
        """


FORMATS: Mapping[str, Parse] = {"native": native.parse}
