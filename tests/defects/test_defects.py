"""Every historical mistake, planted into a copy of the source, is noticed by a test."""

import functools
import importlib
import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import pytest

from tests.defects import workshop
from tests.defects.defect import Defect, DoesNotApply, Edit, plain
from tests.defects.table import DEFECTS, defects_table
from tests.defects.workshop import ROOT, Run, Workshop, selected_by

AT_ONCE = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
GROUPS = 2  # each is one worker's, where several share the suite
RUN_SECONDS = 60
# Far beyond what a run takes: a slow machine is no finding, and each run has a bound of its own.
pytestmark = pytest.mark.timeout(900)  # the first of a group waits for all that run before it

each_defect = pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)


def group_of(defect: Defect) -> int:
    """Which group the defect is run in."""
    return DEFECTS.index(defect) % GROUPS


each_in_its_group = pytest.mark.parametrize(
    "defect",
    [
        pytest.param(defect, id=defect.name, marks=pytest.mark.xdist_group(f"defects {group_of(defect)}"))
        for defect in DEFECTS
    ],
)


@dataclass(frozen=True)
class Findings:
    """What is running or has run of one group: without any defect, and with each that was asked for."""

    without: list[Future[Run]]
    with_defect: dict[str, Future[Run]]

    def healthy(self, test: str) -> bool:
        """True when it passes in the copy in which nothing is planted."""
        runs = [future.result() for future in self.without]
        assert all(run.code in (0, 1) and not run.errors for run in runs), [run.tail for run in runs]
        return not any(selected_by(test, failed) for run in runs for failed, _ in run.failed)


@pytest.fixture(scope="module")
def findings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Defect], Findings]]:
    """The findings of a defect's group. All runs that its chosen tests need begin with the first that asks."""
    chosen = [
        cast("Defect", item.callspec.params["defect"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_a_planted_defect_is_caught
    ]
    shops: queue.Queue[Workshop] = queue.Queue()
    for number in range(AT_ONCE):
        shops.put(Workshop(tmp_path_factory.mktemp("workshop") / str(number)))

    def in_a_workshop(work: Callable[[Workshop], Run]) -> Run:
        shop = shops.get()
        try:
            return work(shop)
        finally:
            shops.put(shop)

    with ThreadPoolExecutor(AT_ONCE) as pool:

        @functools.cache
        def of_group(group: int) -> Findings:
            ours = [defect for defect in chosen if group_of(defect) == group]
            tests = list(dict.fromkeys(test for defect in ours for test in defect.tests))
            return Findings(
                [
                    pool.submit(in_a_workshop, lambda shop, part=tests[n::AT_ONCE]: _healthy(shop, part))  # type: ignore[misc]
                    for n in range(AT_ONCE)
                    if tests[n::AT_ONCE]
                ],
                {
                    defect.name: pool.submit(
                        in_a_workshop,
                        lambda shop, d=defect: shop.run(d.tests, edits=d.edits, timeout=RUN_SECONDS),  # type: ignore[misc]
                    )
                    for defect in ours
                },
            )

        yield lambda defect: of_group(group_of(defect))
        pool.shutdown(cancel_futures=True)


def _healthy(shop: Workshop, tests: list[str]) -> Run:
    return shop.run(tests, timeout=10 * RUN_SECONDS, stop_at_first=False)


@pytest.mark.gate
@each_in_its_group
def test_a_planted_defect_is_caught(defect: Defect, findings: Callable[[Defect], Findings]) -> None:
    found = findings(defect)
    run = found.with_defect[defect.name].result()
    for test in defect.tests:
        assert found.healthy(test), f"{test} fails with nothing planted"
    assert run.caught(), f"{defect.name} was not noticed by {', '.join(defect.tests)}:\n{run.tail}"
    print(f"{defect.name}: {run.caught()[0]} ({run.seconds:.1f} s)")
    assert plain(run.caught()[0]) == defect.caught_by, "the table names another test"


@each_defect
def test_a_defect_fits_the_source_and_is_python(defect: Defect) -> None:
    sources: dict[str, str] = {}
    for edit in defect.edits:
        before = sources.get(edit.file) or (ROOT / edit.file).read_text(encoding="utf-8")
        sources[edit.file] = edit.apply(before)
    for file, source in sources.items():
        if file.endswith(".py"):
            compile(source, file, "exec")


@each_defect
def test_the_tests_of_a_defect_exist(defect: Defect) -> None:
    for test in (*defect.tests, *defect.also):
        path, _, name = plain(test).partition("::")
        assert (ROOT / path).exists(), path
        if name:
            found: object = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            for each in name.split("::"):
                assert hasattr(found, each), test
                found = getattr(found, each)


def test_the_table_is_a_table():
    names = [defect.name for defect in DEFECTS]
    assert len(names) == len(set(names)) >= 24
    for defect in DEFECTS:
        assert defect.edits and defect.tests, defect.name
        assert "|" not in defect.story and defect.story.endswith("."), defect.name


@pytest.mark.gate
def test_each_is_noticed_by_a_test_that_make_test_runs():
    paths = sorted({plain(test).partition("::")[0] for defect in DEFECTS for test in defect.tests})
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "not gate", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    run = {line for line in listed if "::" in line}
    run |= {plain(line) for line in run} | {line.partition("::")[0] for line in run}
    for defect in DEFECTS:
        assert any(test in run for test in defect.tests), f"{defect.name}: its tests are all of the gate"


def test_the_page_about_them_is_fresh():
    kept = (ROOT / "docs" / "planted-defects.md").read_text(encoding="utf-8")
    assert kept.endswith(defects_table()), "docs/planted-defects.md is stale: run `python docs/generate.py`"


# the workshop itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "gone", "aa"])
def test_a_patch_that_does_not_fit_says_so(text):
    with pytest.raises(DoesNotApply, match="the patch no longer applies: rewrite it"):
        Edit("x.py", "a", "b").apply(text)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("shop"))


MONEY = "tests/domain/test_money.py::test_nothing_stays_nothing"
PLANTED = {
    "a defect": ("else decimal_text(value)", "else str(value * 2)", True),
    "nothing that matters": ("the only format in which", "the one format in which", False),
    "no Python": ("ZERO = Decimal(0)", "ZERO = Decimal(0", False),
    "a module that cannot be imported": ("ZERO = Decimal(0)", "ZERO = Decimal(nought)", False),
    "a program that does not run": ("else decimal_text(value)", "else decimal_txt(value)", False),
    "a program that is called wrongly": ("else decimal_text(value)", "else decimal_text()", False),
    "a program that stumbles": ("else decimal_text(value)", "else {}[value]", False),
    "a test that never ends": ("    try:\n", "    while True:\n        pass\n    try:\n", False),
}


@pytest.mark.parametrize("name", PLANTED)
def test_only_what_a_test_noticed_is_a_catch(shop, name):
    old, new, caught = PLANTED[name]
    run = shop.run([MONEY], edits=[Edit("domain/money.py", old, new)], timeout=5 if "never" in name else 60)
    assert bool(run.caught()) is caught, run.tail
    assert run.passed is (name == "nothing that matters")


def test_what_was_planted_is_taken_out_again(shop):
    old, new, _ = PLANTED["a defect"]
    assert not shop.run([MONEY], edits=[Edit("domain/money.py", old, new)], timeout=30).passed
    assert shop.run([MONEY], timeout=30).passed
    assert (shop.root / "domain/money.py").read_bytes() == (ROOT / "domain/money.py").read_bytes()


@pytest.mark.parametrize(
    ("why", "caught"),
    [
        ("assert 1 == 2", True),
        ("AssertionError: no", True),
        ("AssertionError", True),
        ("Failed: DID NOT RAISE <class 'domain.errors.NotSent'>", True),
        ("domain.errors.NotSent: rate limit", True),
        ("Failed: Timeout (>60.0s) from pytest-timeout.", False),
        ("TypeError: f() takes no argument", False),
        ("KeyError: 'assert'", False),
        ("assertions.Wrong: no", False),
        ("sqlite3.OperationalError: no such column: x", False),
        ("RuntimeError: domain.errors.NotSent", False),
        ("hypothesis.errors.FlakyFailure: it failed once", False),
        ("", False),
    ],
)
def test_why_a_test_failed_decides(why, caught):
    assert bool(Run(1, (("tests/a.py::test_b", why),), (), 1.0, "").caught()) is caught


@pytest.mark.parametrize(
    ("second", "caught"), [("assert not x", True), ('raise NotSent("")', True), ("{}[x]", False)]
)
def test_of_several_failures_each_must_be_a_catch(shop, second, caught):
    """Hypothesis says of two ways to fail only that there are two."""
    planted = Edit(
        MONEY.partition("::")[0],
        "def test_nothing_stays_nothing():\n",
        "from hypothesis import given as _given, strategies as _st\n"
        "from domain.errors import NotSent\n\n\n"
        "@_given(_st.sampled_from([0, 1, 2]))\n"
        "def test_nothing_stays_nothing(x):\n"
        f"    if x == 2:\n        {second}\n    assert x != 1\n",
    )
    run = shop.run([MONEY], edits=[planted], timeout=60)
    assert "ExceptionGroup" in run.tail
    assert bool(run.caught()) is caught, run.failed


def test_only_the_project_is_copied(tmp_path, monkeypatch):
    for folder in ("domain", "venv", "env", ".venv", "node_modules", "build", "dist", "data", "benchmarks"):
        (tmp_path / "tree" / folder).mkdir(parents=True)
        (tmp_path / "tree" / folder / "module.py").write_text("")
    monkeypatch.setattr(workshop, "ROOT", tmp_path / "tree")
    assert [entry.name for entry in Workshop(tmp_path / "copy").root.iterdir()] == ["domain"]


@pytest.mark.parametrize("in_the_copy", [True, False])
def test_the_copy_is_what_runs_and_not_the_tree_it_was_made_of(shop, in_the_copy):
    root = str(shop.root if in_the_copy else ROOT)
    planted = Edit(
        MONEY.partition("::")[0],
        "def test_nothing_stays_nothing():\n",
        f"def test_nothing_stays_nothing():\n    import domain.money as m\n    assert {root!r} not in m.__file__\n",
    )
    assert bool(shop.run([MONEY], edits=[planted], timeout=60).caught()) is in_the_copy
