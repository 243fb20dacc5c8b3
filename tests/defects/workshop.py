"""Copies of the source in which defects are planted, and the tests that run there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.defects.defect import Edit, plain

ROOT = Path(__file__).resolve().parents[2]
_LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.db*", "results")
# Of the top-level folders; the second line is what a working copy may hold besides the project (or begins with a dot).
_NOT_NEEDED = {"benchmarks",
               "data", "venv", "env", "node_modules", "build", "dist"}  # fmt: skip
_LINE = re.compile(r"^(FAILED|ERROR) (tests/\S+\.py(?:::.*?)?)(?: - (.*))?$", re.MULTILINE)
# What says that a test has noticed something: it looked and saw what must not be, or it got one of the program's own
# errors where it should have got none. Of everything else (TypeError, KeyError, a timeout) also a patch dies that is no
# working program.
_NOTICED = re.compile(r"assert\b|AssertionError\b|Failed: DID NOT RAISE\b|domain\.errors\.\w+\b")
# Hypothesis found several ways to fail; each stands further up, on a line of its own behind a bar.
_SEVERAL = re.compile(r"ExceptionGroup: Hypothesis found")
_ONE_OF_THEM = re.compile(r"^ +\| (?!ExceptionGroup\b)([A-Za-z_][\w.]*)(?::.*)?$", re.MULTILINE)
_OK, _TESTS_FAILED, _TIMED_OUT = 0, 1, -1


@dataclass(frozen=True, slots=True)
class Run:
    """How a run of tests ended.

    Args:
        code: pytest's exit code; -1 when the time was over.
        failed: the tests that failed, in their order, each with the first line of why.
        errors: what could not be collected or set up.
        seconds: how long it took.
        tail: the end of what it printed.
    """

    code: int
    failed: tuple[tuple[str, str], ...]
    errors: tuple[str, ...]
    seconds: float
    tail: str

    @property
    def passed(self) -> bool:
        """True when tests ran and all passed."""
        return self.code == _OK

    @property
    def timed_out(self) -> bool:
        """True when the time was over before the tests were."""
        return self.code == _TIMED_OUT

    def caught(self) -> tuple[str, ...]:
        """The tests that noticed a defect: an assertion failed, or they met an error that the program raises itself."""
        if self.code != _TESTS_FAILED or self.errors:
            return ()
        return tuple(test for test, why in self.failed if _NOTICED.match(why))


class Workshop:
    """One copy of the program and its tests in a folder of its own; for one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        folder.mkdir(parents=True, exist_ok=True)
        for entry in sorted(ROOT.iterdir()):
            if entry.is_dir() and not entry.name.startswith(".") and entry.name not in _NOT_NEEDED:
                if entry.name == "deploy" or any(entry.rglob("*.py")):
                    shutil.copytree(entry, folder / entry.name, ignore=_LEFT_OUT)
            elif entry.suffix == ".py" or entry.name == "pyproject.toml":
                shutil.copy2(entry, folder / entry.name)

    def run(
        self, tests: Sequence[str], *, edits: Iterable[Edit] = (), timeout: float, stop_at_first: bool = True
    ) -> Run:
        """Run these tests, with the edits made while they run; `timeout` in seconds.

        Raises:
            DoesNotApply: the source has changed where an edit belongs.
        """
        with self._planted(edits):
            began = monotonic()
            options = ["-x"] if stop_at_first else []
            command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider",
                       "-p", "pytest_timeout", *options, *tests]  # fmt: skip
            try:
                done = subprocess.run(
                    command,
                    cwd=self.root,
                    env=_environment(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return Run(_TIMED_OUT, (), (), monotonic() - began, f"not done after {timeout:.0f} s")
        return _read(done.returncode, done.stdout, monotonic() - began)

    @contextmanager
    def _planted(self, edits: Iterable[Edit]) -> Iterator[None]:
        original: dict[Path, bytes] = {}
        try:
            for edit in edits:
                file = self.root / edit.file
                source = file.read_bytes()
                original.setdefault(file, source)
                _write(file, edit.apply(source.decode()).encode())
            yield
        finally:
            for file, source in original.items():
                _write(file, source)


def _write(file: Path, source: bytes) -> None:
    """Also forget what was compiled of it: its time and size may be those of what stood there before."""
    file.write_bytes(source)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def _environment() -> dict[str, str]:
    """That of this process, without what would lead to the real tree, to other plugins, or to shortened lines."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST", "COV_"))}
    return {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "1000", "NO_COLOR": "1"}


def _read(code: int, output: str, seconds: float) -> Run:
    lines = [(kind, test, why or "") for kind, test, why in _LINE.findall(output)]
    failed = tuple((test, _why(why, output)) for kind, test, why in lines if kind == "FAILED")
    errors = tuple(test for kind, test, _ in lines if kind == "ERROR")
    return Run(code, failed, errors, seconds, output[-2000:])


def _why(why: str, output: str) -> str:
    """Of several failures the one that speaks against a catch, if there is one."""
    if not _SEVERAL.match(why):
        return why
    several = _ONE_OF_THEM.findall(output)
    return next((each for each in several if not _NOTICED.match(each)), several[0] if several else why)


def selected_by(selection: str, test: str) -> bool:
    """True when this test is one of a selection: a folder, a file, a test with or without its parameters."""
    return (
        test == selection or plain(test) == selection or test.startswith((f"{selection}/", f"{selection}::"))
    )
