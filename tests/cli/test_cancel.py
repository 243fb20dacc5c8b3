"""`cli.py cancel`: what it prints is what is known, and `show` tells how far a cancel has come."""

import os
import pwd
from datetime import timedelta
from types import SimpleNamespace

import pytest

import cli
from domain.order_events import advance
from domain.states import Phase
from tests.cli.making import order_of
from tests.persistence.making import Maker

CANCEL = ["--by", "ann", "--reason", "too wild"]


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What the command prints, on whichever stream its exit code calls for."""
    assert cli.main(arguments) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_an_order_that_was_not_sent_has_failed_at_once(maker, services, capsys):
    maker.order("fresh", Phase.REGISTERED)
    assert said(capsys, "cancel", "fresh-1", *CANCEL) == (
        "fresh-1 is FAILED NOT_SENT:CANCELLED_BEFORE_SENT: "
        "The order was cancelled before it was sent (too wild)\n"
    )
    assert order_of(maker, "fresh-1").phase is Phase.LAPSED


@pytest.mark.parametrize("phase", [Phase.WORKING, Phase.PARTIALLY_FILLED])
def test_of_a_live_order_it_is_said_that_the_cancel_was_asked_for_and_no_more(maker, services, capsys, phase):
    maker.order("live", phase)
    text = said(capsys, "cancel", "live-1", *CANCEL)
    order = order_of(maker, "live-1")
    assert text.startswith("live-1: a cancel is asked for by cli:ann at ")
    assert " (too wild), not sent to the broker yet\n" in text
    assert (
        " of 50; what is filled stays" in text and "the broker's book says what becomes of the rest" in text
    )
    assert "cancelled" not in text.lower()
    assert (order.phase, order.tag) == (phase, None) and order.cancel_requested_at is not None


def test_what_the_broker_has_confirmed_meanwhile_is_said(maker, services, capsys, monkeypatch):
    maker.order("live", Phase.WORKING)
    ask = services.commands.cancel

    def ask_and_confirm(command_id: str, *, by: str, reason: str) -> None:
        order = ask(command_id, by=by, reason=reason)
        change = advance(
            order, Phase.CANCELLED, at=maker.clock.now(), actor="watcher", tag="BROKER_CANCELLED"
        )
        maker.store.write(lambda tx: tx.apply(change))

    monkeypatch.setattr(services.commands, "cancel", ask_and_confirm)
    assert said(capsys, "cancel", "live-1", *CANCEL) == "live-1 is FAILED BROKER_CANCELLED\n"


def test_asking_twice_is_harmless_and_names_who_asked_first(maker, services, capsys):
    maker.order("live", Phase.WORKING)
    first = said(capsys, "cancel", "live-1", *CANCEL)
    before = order_of(maker, "live-1")
    assert said(capsys, "cancel", "live-1", "--by", "bob", "--reason", "me too") == first
    assert order_of(maker, "live-1") == before


@pytest.mark.parametrize(
    ("phase", "says"),
    [
        (Phase.FILLED, "is FILLED: it has ended"),
        (Phase.BLOCKED, "is BLOCKED: it has ended"),
        (Phase.SUBMITTING, "is SUBMITTING: it is being sent at this moment; ask again"),
        (Phase.UNKNOWN, "is UNKNOWN: its number at the broker is not known"),
    ],
)
def test_what_cannot_be_cancelled_is_one_clear_line(maker, services, capsys, phase, says):
    before = maker.order("odd", phase)
    error = said(capsys, "cancel", "odd-1", *CANCEL, code=2)
    assert f"orderwatch: odd-1 {says}" in error and error.count("\n") == 1
    assert ("resolve it here" in error) == (phase is Phase.UNKNOWN)
    assert order_of(maker, "odd-1") == before


def test_an_order_in_the_archive_has_ended(maker, services, capsys, monkeypatch):
    maker.order("old", Phase.FILLED)
    maker.sent_all()
    maker.clock.at += timedelta(days=40)
    monkeypatch.setattr(cli, "datetime", SimpleNamespace(now=lambda zone: maker.clock.at))
    said(capsys, "archive", "--days", "30")
    assert "old-1 has ended and is in the archive" in said(capsys, "cancel", "old-1", *CANCEL, code=2)


def test_an_order_that_is_not_there_or_not_the_only_one(maker, services, capsys):
    maker.order("one", Phase.WORKING)
    maker.order("two", Phase.WORKING)
    assert "no order" in said(capsys, "cancel", "three-1", *CANCEL, code=2)
    assert "fits several" in said(capsys, "cancel", "-1", *CANCEL, code=2)
    assert order_of(maker, "one-1").cancel_requested_at is None


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ([], "--reason"),
        (["--reason", " "], "argument --reason: expected a text"),
        (["--reason", "x", "--by", ""], "argument --by: expected a text"),
    ],
)
def test_what_is_missing_is_named_and_changes_nothing(maker, services, capsys, options, field):
    before = maker.order("live", Phase.WORKING)
    with pytest.raises(SystemExit) as end:
        cli.main(["cancel", "live-1", *options])
    assert end.value.code == 2 and field in capsys.readouterr().err
    assert order_of(maker, "live-1") == before


def test_without_a_name_it_is_the_user_of_the_machine(maker, services, capsys):
    maker.order("live", Phase.WORKING)
    who = pwd.getpwuid(os.getuid()).pw_name
    assert f"asked for by cli:{who} at" in said(capsys, "cancel", "live-1", "--reason", "x")


def send_cancel(maker: Maker) -> None:
    order = order_of(maker, "live-1")
    at = maker.clock.now()
    change = advance(order, order.phase, at=at, actor="watcher", cancel_sent_at=at)
    maker.store.write(lambda tx: tx.apply(change))


def test_show_tells_how_far_the_cancel_has_come(maker, services, capsys):
    maker.order("live", Phase.WORKING)
    assert "cancel under way" not in said(capsys, "show", "live-1")
    cli.main(["cancel", "live-1", *CANCEL])
    assert "(too wild), not sent to the broker yet" in said(capsys, "show", "live-1")
    send_cancel(maker)
    [line] = [x for x in said(capsys, "show", "live-1").splitlines() if x.startswith("cancel under way")]
    assert "asked for by cli:ann at 20" in line and "(too wild), sent to the broker at 20" in line
    maker.step(order_of(maker, "live-1"), Phase.FILLED)
    assert "cancel under way" not in said(capsys, "show", "live-1")
