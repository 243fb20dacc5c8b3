"""The alert formats: for each a name, which is part of the webhook's path, and a pure parse()."""

from collections.abc import Mapping
from typing import Protocol

from alerts.formats import native
from domain.alert import ParsedAlert


class Parse(Protocol):
    """Parses a document of one format."""

    def __call__(self, document: dict[str, object], *, default_client: str) -> ParsedAlert:
        """Parse an alert; `default_client` is its client when it names none.

        Raises:
            InvalidAlert: the alert cannot be traded on.
        """


FORMATS: Mapping[str, Parse] = {"native": native.parse}
