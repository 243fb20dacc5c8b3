"""The bodies that are spoiled: published alerts, the ones of the blind trial, and a sample of every dialect."""

import json
from functools import cache
from typing import NamedTuple

from tests.alerts import blind, corpus
from tests.alerts.dialect_samples import SAMPLES
from tests.fuzz.spoiling import Json

SECRET = "asecretofletters"


class Base(NamedTuple):
    """A body, and the JSON that it is; None where it is text."""

    name: str
    text: str
    document: Json


@cache
def bases() -> tuple[Base, ...]:
    """All of them, in the same order in every run."""
    found = []
    for file in (corpus.FILE, blind.FILE):
        for line in file.read_text(encoding="utf-8").splitlines():
            found.append(_base(str(json.loads(line)["id"]), corpus.body_of(line).decode()))
    for name, samples in SAMPLES.items():
        for number, raw in enumerate(samples(SECRET)):
            found.append(_base(f"{name}-{number}", raw.decode("utf-8-sig")))
    return tuple(found)


def _base(name: str, text: str) -> Base:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    return Base(name, text, document if isinstance(document, dict | list) else None)
