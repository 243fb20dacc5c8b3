"""Each command that the documents, the messages and the files of deploy/ tell people to type can be typed."""

from pathlib import Path

import pytest

from tests.commands_in_text import Typed, commands_in, subcommands

ROOT = Path(__file__).parents[1]
TEXTS = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config" / "example.env",
    *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "brokers").glob("*.md")),
    *(path for path in sorted((ROOT / "deploy").rglob("*")) if path.is_file()),
    *sorted((ROOT / "domain").glob("*messages.py")), ROOT / "notifications" / "messages.py",
    *sorted((ROOT / "tests" / "notifications").glob("golden_*.py")),
]  # fmt: skip


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_command_in_it_can_be_typed(path: Path):
    for command in commands_in(path.read_text(encoding="utf-8")):
        command.check()


def test_the_texts_are_read():
    found = [command for path in TEXTS for command in commands_in(path.read_text(encoding="utf-8"))]
    assert len([command for command in found if command.is_exact]) > 40
    # What nobody is told of anywhere may as well not exist.
    assert {command.name for command in found} >= subcommands().keys()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see `python cli.py doctor`, then", ("doctor",)),
        ('type `cli.py halt --reason "a b"`.', ("halt", "--reason", "a b")),
        ("```\n.venv/bin/python cli.py orders --json  # all\n```", ("orders", "--json")),
        ("# docker compose exec x python cli.py doctor", ("doctor",)),
        ("<code>python cli.py lift c --reason R</code>", ("lift", "c", "--reason", "R")),
    ],
)
def test_a_command_is_found_as_it_would_be_typed(text: str, words: tuple[str, ...]):
    assert [command.words for command in commands_in(text)] == [words]


@pytest.mark.parametrize(
    "words",
    [
        ("docter",),
        ("halt", "--raeson", "x"),
        ("halt", "--client", "a"),
        ("adopt", "a", "b", "c", "d", "--reason", "x"),
    ],
)
def test_a_command_that_cannot_be_typed_is_noticed(words: tuple[str, ...]):
    with pytest.raises(AssertionError):
        Typed("cli.py", words, is_exact=True).check()
