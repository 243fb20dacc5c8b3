"""Looking at orders: what is listed, and how one is found and shown."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

import cli
from domain.states import Phase
from persistence.sqlite.archive import archive_beside
from tests.cli.making import json_of


def test_orders_are_listed_aligned_and_newest_first(maker, capsys):
    maker.order("first", Phase.FILLED)
    maker.order("second", Phase.BLOCKED)
    assert cli.main(["orders"]) == 0
    heading, newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.endswith("second-1")
    assert oldest.endswith("first-1")
    assert heading.index("status") == newest.index("FAILED") == oldest.index("EXECUTED")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"filled-1", "working-1"}),
        (["--status", "executed"], {"filled-1"}),
        (["--symbol", "NIFTY26NOV24500CE"], {"filled-1", "working-1"}),
        (["--symbol", "NIFTY*CE"], {"filled-1", "working-1"}),
        (["--symbol", "other"], set()),
        (["--strategy", "STRADDLE", "--client", "default"], {"filled-1", "working-1"}),
        (["--client", "other"], set()),
        (["--limit", "1"], {"working-1"}),
    ],
)
def test_orders_can_be_chosen(maker, capsys, options, expected):
    maker.order("filled", Phase.FILLED)
    maker.order("working", Phase.WORKING)
    assert cli.main(["orders", "--json", *options]) == 0
    assert {row["command_id"] for row in json_of(capsys)} == expected


def test_orders_long_at_the_broker_are_listed_oldest_first_with_why(maker, capsys):
    present = maker.clock.at
    for age, name, phase in (
        (timedelta(minutes=61), "resting", Phase.WORKING),
        (timedelta(hours=30), "odd", Phase.UNKNOWN),
        (timedelta(hours=2), "done", Phase.FILLED),
        (timedelta(minutes=59), "young", Phase.WORKING),
    ):
        maker.clock.at = present - age
        maker.order(name, phase)
    assert cli.main(["orders", "--frozen"]) == 0
    means, heading, oldest, newer = capsys.readouterr().out.splitlines()
    assert "look whether it should still be there" in means
    assert oldest.endswith("odd-1") and "30h00m" in oldest and "its outcome is unknown" in oldest
    assert newer.endswith("resting-1") and "a LIMIT order may rest" in newer
    assert heading.index("phase") == oldest.index("UNKNOWN") == newer.index("WORKING")
    assert cli.main(["orders", "--frozen", "--json", "--limit", "1", "--client", "default"]) == 0
    [row] = json_of(capsys)
    assert (row["command_id"], row["age"], row["attempts"]) == ("odd-1", "30h00m", 0)
    assert cli.main(["orders", "--frozen", "--symbol", "OTHER"]) == 0
    assert capsys.readouterr().out == "no orders\n"


def test_an_order_is_shown_by_the_end_of_its_id_with_its_story(maker, capsys):
    maker.order("01KAALERT", Phase.FILLED)
    assert cli.main(["show", "ALERT-1"]) == 0
    shown = capsys.readouterr().out
    for word in ("01KAALERT-1", "EXECUTED", "REGISTERED", "SUBMITTING", "FILLED", "PLACED"):
        assert word in shown
    assert cli.main(["show", "01KAALERT-1", "--json"]) == 0
    assert set(json_of(capsys)) == {"order", "events", "messages"}


@pytest.mark.parametrize(
    ("text", "says"), [("-1", "fits several"), ("nothing", "no order"), ("", "no order")]
)
def test_an_id_that_is_not_unique_is_refused(maker, capsys, text, says):
    maker.order("one", Phase.FILLED)
    maker.order("two", Phase.FILLED)
    assert cli.main(["show", text]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_an_archived_order_is_still_shown(maker, capsys):
    maker.order("old", Phase.FILLED)
    maker.sent_all()
    maker.clock.at += timedelta(days=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "datetime", SimpleNamespace(now=lambda zone: maker.clock.at))
        assert cli.main(["archive", "--days", "30"]) == 0
    assert "moved 1 orders" in capsys.readouterr().out
    assert archive_beside(maker.path).exists()
    assert maker.store.get_by_id("old-1") is None
    assert cli.main(["show", "old-1"]) == 0
