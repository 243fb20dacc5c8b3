"""What an alert would do is told as it would be done, whatever the body is, and without its secret."""

import json
from decimal import Decimal
from typing import Any

import pytest

from alerts.formats.registry import DIALECTS
from alerts.preview import Previewer, Secrecy
from tests.alerts.dialect_samples import DEFAULTS
from tests.alerts.fakes import SECRET, SECRETS, a_document
from tests.alerts.hostile_bodies import SHAPES


def previewed(raw: bytes, name: str | None = None) -> Any:
    previewer = Previewer(
        DIALECTS,
        DEFAULTS,
        client_id="default",
        secrecy=Secrecy(SECRETS.mask),
        blocks=lambda alert: [{"leg": 1, "tag": "T"}] if alert.legs[0].quantity == Decimal(7) else [],
    )
    return json.loads(json.dumps(previewer(raw, name)))


def test_an_alert_of_our_own_is_told_leg_by_leg():
    told = previewed(json.dumps(a_document()).encode(), "auto")
    assert (told["outcome"], told["format"], told["error"]) == ("orders", "native", None)
    assert told["legs"] == [
        {
            "kind": "ENTRY",
            "execution_type": "ENTRY",
            "side": "BUY",
            "symbol": "NIFTY26NOV24500CE",
            "exchange": "NFO",
            "instrument": None,
            "quantity": 50,
            "sizing": None,
            "order_type": "LIMIT",
            "price": "112.5",
            "reference_price": None,
            "trigger_price": None,
            "stop_loss": None,
            "target": None,
            "product": "MIS",
            "clients": ["default"],
        }
    ]


def test_repairs_and_keys_that_are_not_read_are_listed():
    told = previewed("{“ticker”: “INFY”, “action”: “buy”, “mood”: “good”,}".encode())
    assert (told["outcome"], told["format"], told["unread"]) == ("orders", "usual-fields", ["mood"])
    assert len(told["repairs"]) == 2


def test_a_leg_that_is_blocked_by_what_is_configured_is_named():
    assert previewed(b'{"ticker": "INFY", "action": "buy", "quantity": 7}')["blocked"] == [
        {"leg": 1, "tag": "T"}
    ]


def test_a_notice_is_told_as_one_and_a_refusal_with_its_field():
    assert previewed(b'{"key": "x", "msg": "BTCUSDT is at 3"}')["outcome"] == "info"
    told = previewed(b'{"ticker": "INFY", "action": "hold"}')
    assert (told["outcome"], told["error"]["code"], told["error"]["field"]) == (
        "rejected", "INVALID", "action",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["nobody", SECRET])
def test_an_unknown_format_is_told_without_a_secret(name: str):
    told = previewed(b"{}", name)
    assert told["error"]["code"] == "UNKNOWN_FORMAT"
    assert SECRET not in json.dumps(told)


def test_no_part_of_it_shows_a_secret():
    for document in (
        {"ticker": SECRET, "action": "buy"},
        {"ticker": "A", "action": SECRET},
        {SECRET: 1, "symbol": 1},
    ):
        assert SECRET not in json.dumps(previewed(json.dumps(document).encode()))


def test_any_body_has_an_answer():
    for shape in SHAPES.values():
        assert previewed(shape(3_000))["outcome"] in ("orders", "info", "rejected")
