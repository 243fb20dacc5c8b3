"""Which clients trade an alert follows from the strategies file, and whose secret it carries."""

import json
from dataclasses import replace

import pytest

from alerts.formats.registry import DIALECTS
from alerts.preview import Previewer
from alerts.sharing import shared
from domain.alert import ClientShare
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.errors import InvalidAlert
from tests.support import entry

SHARES = (ClientShare("a"), ClientShare("b"))
BOOK = AlertDefaultsBook(AlertDefaults("NSE", "MIS"), {"S": AlertDefaults("NSE", "MIS", clients=SHARES)}, "S")
ALERT = replace(entry(), client_id="b", strategy_name="S")


def test_all_clients_of_the_strategy_trade_it_whichever_of_them_sends_it():
    for sender in ("a", "b"):
        alert = shared(ALERT, BOOK, sender=sender, named=None)
        assert (alert.client_id, alert.shares) == ("a", SHARES)


def test_a_client_that_the_body_names_trades_it_alone():
    alert = shared(ALERT, BOOK, sender="b", named="b")
    assert (alert.client_id, alert.shares) == ("b", (ClientShare("b"),))


@pytest.mark.parametrize(("sender", "named"), [("c", None), ("c", "c"), ("", None)])
def test_nobody_trades_accounts_of_a_strategy_that_is_not_its_own(sender, named):
    with pytest.raises(InvalidAlert) as caught:
        shared(ALERT, BOOK, sender=sender, named=named)
    assert (caught.value.code, caught.value.field) == ("NOT_ITS_CLIENT", "client_id")


def test_a_strategy_without_clients_is_traded_by_its_sender():
    other = replace(ALERT, strategy_name="other")
    assert shared(other, BOOK, sender="c", named=None) is other


def test_a_preview_names_all_clients():
    body = json.dumps({"ticker": "INFY", "action": "buy", "quantity": 1}).encode()
    [leg] = Previewer(DIALECTS, BOOK, client_id="x")(body)["legs"]
    assert leg["clients"] == ["a", "b"]
