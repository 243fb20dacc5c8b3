"""Finds the commands of ours that a text tells people to type, and tries whether they can be typed."""

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cli
from cli_parser import parser

ROOT = Path(__file__).parents[1]
_PROGRAM = re.compile(r"(?:(?:\S*/)?python3? )?\b(cli|trading_bot|order_watcher)\.py\b(.*)")
_SPAN = re.compile(r"`([^`\n]*\.py\b[^`\n]*)`|<code>([^<\n]*\.py\b[^<\n]*)</code>")
_FENCE = re.compile(r"^\s*```")
_NUMBERS = {"UNITS", "QTY", "P", "PRICE", "DAYS", "<units>"}
"""What stands for a number that a person knows; any other word in capitals or in <> stands for a text."""
_NOT_EXACT = re.compile(r"…|\.\.\.|\[|\]|\||[{}]")


@dataclass(frozen=True)
class Typed:
    """A command as a text shows it."""

    program: str
    words: tuple[str, ...]
    is_exact: bool  # False: it names the command and some of its options, and no more

    def check(self) -> None:
        """Raise AssertionError where it cannot be typed so."""
        shown = f"{self.program} {' '.join(self.words)}"
        assert (ROOT / self.program).exists(), shown
        if self.program != "cli.py" or not self.words or self.words[0] == "…":
            return
        commands = subcommands()
        assert self.words[0] in commands, f"{shown}: no such command"
        options = {name for action in commands[self.words[0]]._actions for name in action.option_strings}
        for word in self.words[1:]:
            assert not word.startswith("--") or word.partition("=")[0] in options, (
                f"{shown}: no option {word}"
            )
        if self.is_exact:
            try:
                parser(cli._COMMANDS).parse_args(["50" if word in _NUMBERS else word for word in self.words])
            except SystemExit:
                raise AssertionError(f"{shown}: it cannot be typed so") from None

    @property
    def name(self) -> str:
        """The command of cli.py; empty where there is none."""
        return self.words[0] if self.program == "cli.py" and self.words else ""


@cache
def subcommands() -> dict[str, argparse.ArgumentParser]:
    """The commands of cli.py, each with its own parser."""
    for action in parser(cli._COMMANDS)._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("cli.py has no commands")


def commands_in(text: str) -> Iterator[Typed]:
    """Each command in `code`, in <code>, on a line of a fenced block, or alone on the rest of a line."""
    is_code = False
    for line in text.splitlines():
        if _FENCE.match(line):
            is_code = not is_code
            continue
        spans = [] if is_code else [first or second for first, second in _SPAN.findall(line)]
        for span in spans:
            yield from _typed(span)
        if is_code or (not spans and "python" in line):
            yield from _typed(line.split("  #")[0].split(" # ")[0])


def _typed(span: str) -> Iterator[Typed]:
    for command in re.split(r"&&|;", span):
        found = _PROGRAM.search(command)
        if found is None:
            continue
        rest = re.sub(r"\$\([^)]*\)", "x", found[2])
        rest = rest.rstrip(" '\"\\") if rest.count('"') % 2 or rest.count("'") % 2 else rest
        try:
            words = shlex.split(rest)
        except ValueError:
            words = rest.split()
        is_mention = len(words) < 2 or words[-1].startswith("--")
        is_exact = not _NOT_EXACT.search(rest) and not is_mention
        yield Typed(f"{found[1]}.py", tuple(words), is_exact)
