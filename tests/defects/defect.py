"""A planted defect: what an order bot once did wrong, as a change to the source, and the tests that must notice."""

from dataclasses import dataclass


class DoesNotApply(Exception):
    """The source has changed where the defect is planted."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: the text must stand in the file exactly once."""

    file: str
    old: str
    new: str

    def apply(self, source: str) -> str:
        """The source with the change made.

        Raises:
            DoesNotApply: the text is not there exactly once.
        """
        count = source.count(self.old)
        if count != 1:
            raise DoesNotApply(
                f"the patch no longer applies: rewrite it ({self.file} has its text {count} times)"
            )
        return source.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Defect:
    """One historical mistake.

    Args:
        name: what it is called, in words that fit a test's id.
        story: what went wrong in the field, one sentence.
        edits: the change that brings it back.
        tests: node ids; the first of them is the one that must fail first. Few and quick: they run in every test run.
        source: a public report of it, where one is known.
        also: slower selections that notice it too; only `make defects` runs them.
    """

    name: str
    story: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    source: str = ""
    also: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files it is planted in, each once."""
        return tuple(dict.fromkeys(edit.file for edit in self.edits))

    @property
    def caught_by(self) -> str:
        """The test that must fail first, without its parameters."""
        return plain(self.tests[0])


def plain(node_id: str) -> str:
    """A test's node id without its parameters."""
    return node_id.partition("[")[0]
