"""Each template in the docs previews as its page says."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from alerts.preview import Previewer
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.enums import Side

PAGE = Path(__file__).resolve().parents[2] / "docs" / "platforms.md"
TEMPLATES = re.findall(r"```alert\n(.*?)\n```\n\n`([^`]*)`", PAGE.read_text(encoding="utf-8"), re.DOTALL)
SECRET = "Secret0123456789"
DEFAULTS = AlertDefaultsBook(
    AlertDefaults("NSE", "MIS", quantity=Decimal(1)),
    {"Breakouts": AlertDefaults("NSE", "MIS", quantity=Decimal(1), side=Side.BUY)},
    "Any",
)
ON_THE_CHART = {
    "exchange": "NSE",
    "ticker": "INFY",
    "close": "1500.5",
    "timenow": "2026-11-30T04:00:00Z",
    "strategy.order.action": "buy",
    "strategy.order.contracts": "5",
    "strategy.order.price": "1500.4",
    "strategy.market_position": "long",
    "strategy.prev_market_position": "flat",
    "strategy.market_position_size": "5",
    "strategy.prev_market_position_size": "0",
    "strategy.position_size": "5",
}


def arriving(template: str) -> bytes:
    for name, value in ON_THE_CHART.items():
        template = template.replace("{{%s}}" % name, value)  # noqa: UP031 - braces
    return template.replace("SECRET", SECRET).encode()


def shown(told: dict[str, Any]) -> str:
    legs = []
    for leg in told["legs"]:
        if leg["kind"] == "CANCEL":
            legs.append(f"CANCEL {leg['exchange']}:{leg['symbol']}")
            continue
        quantity = "all" if leg["quantity"] is None else leg["quantity"]
        what = f"{leg['exchange']}:{leg['symbol']} {leg['order_type']}"
        price = "" if leg["price"] is None else f" {leg['price']}"
        levels = "".join(
            f" {name} {leg[key]}"
            for name, key in (("stop", "stop_loss"), ("target", "target"))
            if leg[key] is not None
        )
        legs.append(f"{leg['kind']} {leg['side']} {quantity} {what}{price}{levels}")
    return f"{', '.join(legs) or told['outcome']} ({told['format']})"


@pytest.mark.parametrize(("template", "expected"), TEMPLATES, ids=[expected for _, expected in TEMPLATES])
def test_a_template_previews_as_its_page_says(template: str, expected: str):
    previewer = Previewer(DIALECTS, DEFAULTS, client_id="default")
    told = dict(previewer(arriving(template)))
    assert shown(told) == expected, json.dumps(told, indent=1)


@pytest.mark.parametrize("template", [template for template, _ in TEMPLATES if "SECRET" in template])
def test_the_secret_of_a_template_is_found(template: str):
    body = decode(arriving(template))
    assert DIALECTS.dialect_of(body).secret.find(body) == SECRET


def test_every_template_of_the_page_is_tried():
    assert len(TEMPLATES) == PAGE.read_text(encoding="utf-8").count("```alert")
