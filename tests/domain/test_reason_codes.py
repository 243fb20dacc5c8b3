"""Every reason has a family, a sentence and a line in the docs."""

import subprocess
import sys
from pathlib import Path

import pytest

from domain.reason_codes import (
    Family,
    Reason,
    broker_tag,
    family_of,
    reason_in,
    reasons_table,
    sentence_of,
    tag_of,
)

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = {
    "RISK_BLOCKED": "DAILY_LOSS_HIT MAX_ORDER_QUANTITY MAX_ORDER_VALUE ORDER_VALUE_UNKNOWN "
    "MAX_ORDERS_PER_MINUTE MAX_OPEN_ORDERS",
    "GUARD_BLOCKED": "TRADING_HALTED ORDER_BLOCKED_LIVE_TRADING POSITIONS_STALE OUTCOME_UNKNOWN "
    "OPPOSITE_SIDE_HELD NO_POSITION",
    "DUPLICATE_BLOCKED": "DUPLICATE_ENTRY_BLOCKED SIGNAL_ALREADY_SEEN CONTENT_ALREADY_SEEN",
    "NOT_SENT": "ALERT_TOO_OLD CANCELLED_BEFORE_SENT",
    "VALIDATION_FAILED": "UNSUPPORTED_ORDER",
    "BROKER_ABSENT": "OPERATOR_RESOLVED PROVEN",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_names_that_operators_search_for_stay(family):
    """A tag that was ever written is in somebody's query: none of these may change or go."""
    tags = {tag_of(reason) for reason in Reason}
    assert {f"{family}:{reason}" for reason in FAMILIES[family].split()} <= tags


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_reads_back_from_its_tag(reason):
    tag = tag_of(reason)
    assert tag == f"{reason.family.value}:{reason.value}"
    assert family_of(tag) is reason.family
    assert reason_in(tag) == reason.value
    assert sentence_of(tag) == reason.sentence


def test_a_brokers_code_does_not_hide_who_said_no():
    assert family_of("BROKER_REJECTED:16387: DUPLICATE_BLOCKED") is Family.BROKER_REJECTED
    assert family_of("BROKER_CANCELLED") is Family.BROKER_CANCELLED
    assert family_of("of tomorrow:x") is family_of(None) is None


def test_sentences_are_there_and_differ():
    sentences = [reason.sentence for reason in Reason]
    assert all(sentences)
    assert len(set(sentences)) == len(sentences)


def test_a_brokers_code_stands_for_itself():
    assert broker_tag(Family.BROKER_REJECTED, "RMS7") == "BROKER_REJECTED:RMS7"
    assert broker_tag(Family.BROKER_CANCELLED) == "BROKER_CANCELLED"
    assert sentence_of("BROKER_REJECTED:RMS7") == "BROKER_REJECTED:RMS7"
    assert sentence_of("BROKER_CANCELLED") == "Broker cancelled"
    assert (reason_in("BROKER_REJECTED:RMS:7"), reason_in("BROKER_CANCELLED"), reason_in(None)) == (
        "RMS:7",
        "BROKER_CANCELLED",
        "",
    )
    assert sentence_of(None) == ""


def test_a_brokers_code_is_not_taken_for_a_reason_of_ours():
    assert sentence_of("BROKER_REJECTED:TRADING_HALTED") == "BROKER_REJECTED:TRADING_HALTED"


def test_the_table_has_a_line_for_each_reason():
    lines = reasons_table().splitlines()
    assert lines[:2] == ["| tag | meaning |", "|---|---|"]
    assert lines[2:] == [f"| `{tag_of(reason)}` | {reason.sentence} |" for reason in Reason]


def test_docs_generated_from_the_code_are_fresh(tmp_path):
    """The generator runs as documented, in a copy, and makes exactly what is committed."""
    for folder in ("docs", "domain", "tests", "tests/defects"):
        (tmp_path / folder).mkdir()
        for file in (ROOT / folder).glob("*.py"):
            (tmp_path / folder / file.name).write_bytes(file.read_bytes())
    subprocess.run([sys.executable, "docs/generate.py"], cwd=tmp_path, check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "docs").glob("*.md")}
    assert "reason-codes.md" in made
    for name, text in made.items():
        kept = ROOT / "docs" / name
        assert kept.exists() and kept.read_text() == text, (
            f"docs/{name} is stale: run `python docs/generate.py`"
        )


def test_positions_that_are_not_known_are_not_said_to_be_old():
    said = Reason.POSITIONS_STALE.sentence
    assert "not known" in said and "cannot be read" in said and "not read for too long" in said
