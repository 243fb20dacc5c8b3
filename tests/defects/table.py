"""All planted defects, and the page about them. Imports nothing of the program, so that the page can always be made."""

from collections.abc import Iterable

from tests.defects.adopting import ADOPTING
from tests.defects.alpaca import ALPACA
from tests.defects.batches import TOGETHER_CLAIMED
from tests.defects.cancelling import CANCELLING
from tests.defects.clocks import CLOCKS
from tests.defects.combining import COMBINING
from tests.defects.conversing import CONVERSING
from tests.defects.conversions import CONVERSIONS
from tests.defects.defect import Defect
from tests.defects.desk import DESK
from tests.defects.dhan import DHAN
from tests.defects.doors import DOORS
from tests.defects.entering import ENTERING
from tests.defects.exit_reads import EXIT_READS
from tests.defects.following import FOLLOWING
from tests.defects.fuzzed import FUZZED
from tests.defects.groups import GROUPS
from tests.defects.house import HOUSE
from tests.defects.instruments import INSTRUMENTS
from tests.defects.limits import LIMITS
from tests.defects.locking import LOCKING
from tests.defects.lost_parts import LOST_PARTS
from tests.defects.outside import OUTSIDE
from tests.defects.platforms import PLATFORMS
from tests.defects.protecting import PROTECTING
from tests.defects.reading import READING
from tests.defects.resting import RESTING
from tests.defects.risk import RISK
from tests.defects.senders import SENDERS
from tests.defects.sending import SENDING
from tests.defects.sizing import SIZES
from tests.defects.store import STORE
from tests.defects.story import STORY
from tests.defects.together import TOGETHER
from tests.defects.watching import WATCHING
from tests.defects.zerodha import ZERODHA

DEFECTS: tuple[Defect, ...] = (
    *SENDING, *FOLLOWING, *ENTERING, *ADOPTING, *TOGETHER, *CONVERSIONS, *CLOCKS, *EXIT_READS, *LOST_PARTS,
    *TOGETHER_CLAIMED, *OUTSIDE, *STORE, *DOORS, *SENDERS, *HOUSE,
    *READING, *ZERODHA, *DHAN, *ALPACA, *PROTECTING, *LOCKING, *RESTING, *RISK, *LIMITS, *GROUPS, *COMBINING,
    *PLATFORMS, *INSTRUMENTS, *SIZES, *CONVERSING, *DESK, *STORY, *WATCHING, *CANCELLING,
    *FUZZED,
)  # fmt: skip

WIDE = (
    "tests/engine",
    "tests/domain",
    "tests/broker",
    "tests/persistence",
    "tests/alerts",
    "tests/notifications",
    "tests/conversation",
    "tests/blockers",
    "tests/test_command_service.py",
    "tests/test_command_duplicates.py",
    "tests/test_command_blockers.py",
    "tests/test_command_operator.py",
    "tests/app/test_container.py",
)
"""What `make defects` runs against each defect."""

_SECTIONS = (
    ("Sending", SENDING),
    ("Following", FOLLOWING),
    ("Entering and exiting", ENTERING),
    ("Adopting units", ADOPTING),
    ("Orders beside each other", TOGETHER),
    ("Converted by hand", CONVERSIONS),
    ("Clocks that are set", CLOCKS),
    ("Exits and reads of the positions", EXIT_READS),
    ("Rows that have lost something, or that a hand has changed", LOST_PARTS),
    ("Entries claimed together", TOGETHER_CLAIMED),
    ("Protecting a position", (*PROTECTING, *LOCKING)),
    ("Exits that rest", RESTING),
    ("Limits", (*RISK, *LIMITS)),
    ("Groups of legs", (*GROUPS, *COMBINING)),
    ("What a broker shows", READING),
    ("At Zerodha", ZERODHA),
    ("At Dhan", DHAN),
    ("At Alpaca", ALPACA),
    ("The alerts of platforms", PLATFORMS),
    ("Alerts that cancel", CANCELLING),
    ("Bodies that the fuzz makes", FUZZED),
    ("Instruments", INSTRUMENTS),
    ("Sizes and legs", SIZES),
    ("Acting from a chat", CONVERSING),
    ("Acting from the console", DESK),
    ("Finding, counting and telling", STORY),
    ("At the edges", OUTSIDE),
    ("File, clock and switches", STORE),
    ("At the door", DOORS),
    ("Who may send", SENDERS),
    ("In our own house", HOUSE),
    ("Watching", WATCHING),
)


def defects_table() -> str:
    """One table a section: each defect, what it did in the field, where it is planted, and the test that catches it."""
    return "\n".join(f"## {title}\n\n{_rows(defects)}" for title, defects in _SECTIONS)


def _rows(defects: Iterable[Defect]) -> str:
    head = "| defect | in the field | planted in | caught by |\n|---|---|---|---|\n"
    return head + "".join(_row(defect) for defect in defects)


def _row(defect: Defect) -> str:
    seen = f" ([seen]({defect.source}))" if defect.source else ""
    files = ", ".join(f"`{file}`" for file in defect.files)
    file, _, test = defect.caught_by.partition("::")
    return f"| {defect.name} | {defect.story}{seen} | {files} | `{test}` in `{file}` |\n"
