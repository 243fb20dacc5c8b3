"""Whoever is woken by a message finds it in docs/runbook.md, with what to do; each sentence of the system too."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.notices import NoticeKind
from notifications.messages import _ALONE
from tests.commands_in_text import commands_in

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ROOMS = ("app", "conversation", "domain", "engine", "notifications", "use_cases")
SAID_BY_OTHERS = {  # notices whose words are made in another module, which is looked at too
    "domain/notices.py", "notifications/messages.py", "domain/ports/notices.py",
    "engine/read_failure_tracker.py", "engine/outcome_recorder.py", "engine/exit_sizer.py",
    "engine/account_binding.py", "app/container.py", "engine/unconfigured_clients.py", "engine/reconciler.py",
}  # fmt: skip


def entries() -> dict[str, str]:
    """Each kind's title and entry."""
    parts = re.split(r"^### `(\w+)` · ", RUNBOOK, flags=re.MULTILINE)[1:]
    return {
        kind: re.split(r"^##", text, flags=re.MULTILINE)[0]
        for kind, text in zip(parts[::2], parts[1::2], strict=True)
    }


def sentences(path: Path) -> Iterator[str]:
    """The texts of a module, each f-string without what is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "\0".join(str(part.value) if isinstance(part, ast.Constant) else "" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def system_words() -> list[str]:
    """The first column of the table of the system's sentences."""
    return re.findall(r"^\| `([^`]+)` \|", RUNBOOK, flags=re.MULTILINE)


def test_there_is_an_entry_for_each_kind_of_message_and_for_nothing_else():
    assert entries().keys() == {str(kind) for kind in NoticeKind}


@pytest.mark.parametrize("kind", NoticeKind)
def test_an_entry_says_what_happened_what_it_means_for_the_money_and_what_to_do_now(kind: NoticeKind):
    entry = entries()[kind]
    for part in ("**What happened:** ", "**Your money:** ", "**Now:** "):
        assert entry.count(part) == 1, part
    if kind in _ALONE:  # the words that stand first in the message, to be searched for at night
        assert entry.startswith(_ALONE[kind][0]), entry.splitlines()[0]


def test_an_entry_of_an_alarm_names_a_command():
    for kind, entry in entries().items():
        if "🚨" in entry.splitlines()[0] or "🛑" in entry.splitlines()[0]:
            assert [command for command in commands_in(entry) if command.name], kind


def test_each_sentence_of_the_system_that_is_explained_is_one_that_is_said():
    said = [text for room in ROOMS for path in (ROOT / room).rglob("*.py") for text in sentences(path)]
    said += list(sentences(ROOT / "trading_bot.py"))
    missing = [words for words in system_words() if not any(words in text for text in said)]
    assert not missing and len(system_words()) > 40


def test_each_module_that_tells_of_the_system_has_a_sentence_in_the_table():
    words = system_words()
    for room in (*ROOMS, "trading_bot.py"):
        place = ROOT / room
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "NoticeKind.SYSTEM" not in path.read_text(encoding="utf-8") or name in SAID_BY_OTHERS:
                continue
            texts = list(sentences(path))
            assert any(each in text for each in words for text in texts), f"{name} is not in docs/runbook.md"


def test_the_table_has_a_command_or_nothing_to_do_or_a_place_to_look():
    rows = [row.split(" | ") for row in RUNBOOK.splitlines() if re.match(r"\| `[^`]+` \|", row)]
    assert all(len(row) == 3 and row[2].strip(" |") for row in rows)
