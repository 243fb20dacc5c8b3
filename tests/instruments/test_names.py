"""A table of names as platforms write them, and what each of them is at the broker of the shipped lists."""

from pathlib import Path

import pytest

from domain.instruments.resolution import resolve
from tests.listed import TODAY, a_master

LINES = [
    tuple(cell.strip() for cell in line.split(" | "))
    for line in (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
PLATFORMS = sorted({platform for platform, *_ in LINES})


def test_the_table_is_large_enough():
    assert len(LINES) >= 300
    assert len(PLATFORMS) >= 9


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_name_of_a_platform_is_what_the_table_says(platform):
    wrong = []
    for of, exchange, name, expected in LINES:
        if of == platform:
            told = resolve(name, exchange, a_master(), TODAY)
            became = str(told.found) if told.reason is None else told.reason.value
            if became != expected:
                wrong.append((exchange, name, expected, became))
    assert not wrong
