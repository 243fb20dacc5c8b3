"""A client that an alert of another platform names trades it alone, and its own secret is asked for."""

from typing import Any

import pytest

from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from alerts.sharing import shared
from domain.alert import ClientShare
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from tests.alerts.fakes import OTHER_SECRET, SECRET, FakeDesk
from tests.alerts.test_foreign_rules import refusal
from tests.alerts.test_webhook import error_of, post

_BODIES: list[Any] = [
    {"secret": "$", "ticker": "INFY", "action": "buy", "quantity": 5, "exchange": "NSE", "product": "MIS",
     "strategy": "S", "client_id": "other"},
    {"apikey": "$", "symbol": "INFY", "action": "buy", "quantity": 5, "exchange": "NSE", "product": "MIS",
     "strategy": "S", "clientId": " other "},
    "secret=$;symbol=INFY;action=buy;quantity=5;exchange=NSE;product=MIS;strategy=S;client_id=other",
]  # fmt: skip


def _with(body: Any, secret: str) -> Any:
    if isinstance(body, str):
        return body.replace("$", secret).encode()
    return {key: secret if value == "$" else value for key, value in body.items()}


@pytest.mark.parametrize("body", _BODIES, ids=str)
def test_a_named_client_is_traded_for_by_its_own_secret_alone(body: Any):
    desk = FakeDesk()
    assert error_of(post(desk, _with(body, SECRET)))[:2] == (401, "UNAUTHORIZED")
    assert not desk.accepted
    assert post(desk, _with(body, OTHER_SECRET)).status_code == 200
    [(alert, _)] = desk.accepted
    assert alert.client_id == "other"


@pytest.mark.parametrize("body", _BODIES, ids=str)
def test_of_several_clients_the_named_one_alone_trades(body: Any):
    shares = (ClientShare("a"), ClientShare("other"))
    book = AlertDefaultsBook(AlertDefaults("NSE", "MIS"), {"S": AlertDefaults("NSE", "MIS", clients=shares)})
    raw = decode(body.encode() if isinstance(body, str) else repr(body).replace("'", '"').encode())
    dialect = DIALECTS.dialect_of(raw)
    alert = dialect.parse(raw, default_client="other", defaults=book)
    alert = shared(alert, book, sender="other", named=dialect.client_of(raw))
    assert (alert.client_id, alert.shares) == ("other", (ClientShare("other"),))
    assert not [key for key in alert.unread if "client" in key]


@pytest.mark.parametrize(
    "beside",
    [{"client_id": 7}, {"data": {"client_id": "b"}}, {"client_id": "a", "meta": {"clientId": "b"}}],
    ids=str,
)
def test_a_client_that_is_named_otherwise_is_refused(beside: dict[str, Any]):
    code, field = refusal({"ticker": "INFY", "action": "buy", "quantity": 5, **beside})
    assert (code, (field or "").rpartition(".")[2]) in (("INVALID", "client_id"), ("INVALID", "clientid"))


def test_an_empty_client_names_none():
    body = _BODIES[0] | {"client_id": ""}
    desk = FakeDesk()
    assert post(desk, _with(body, SECRET)).status_code == 200
    assert desk.accepted[0][0].client_id == "default"
