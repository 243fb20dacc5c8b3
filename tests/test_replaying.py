"""Replaying a kept alert in the console: shown first, registered once, judged as any alert, and never traded twice."""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.container import Services, build_services
from app.settings import load_settings
from domain.states import Status
from domain.transitions import claimed
from trading_bot import make_app

SECRET, TOKEN = "webhook-secret-of-replays", "console-token-of-replays"
LEG = {"tradingsymbol": "INFY", "direction": "BUY", "qty": 1, "product_type": "MIS", "order_type": "MARKET"}
ALERT = {
    "secret_key": SECRET,
    "execution_type": "ENTRY",
    "strategy_name": "S",
    "exchange": "NSE",
    "legs": [LEG],
}


@dataclass
class Place:
    """A service with the paper broker, whose positions were not read yet: every entry is blocked."""

    services: Services
    path: Path
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = make_app(self.services).test_client()
        assert self.client.post("/login", data={"token": TOKEN}).status_code == 303

    def post(self, **changes: Any) -> Any:
        """What the webhook answers."""
        answer = self.client.post("/webhook", json=ALERT | changes)
        return answer.json

    def let_entries_go(self) -> None:
        self.services.engine("reader").refresh("default", force=True)

    def page(self, alert_id: str) -> str:
        answer = self.client.get(f"/alerts/{alert_id}/replay")
        assert answer.status_code == 200, answer.text
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text))

    def replay(self, alert_id: str, number: object = 1, **fields: str) -> TestResponse:
        form = {"number": str(number), "reason": "positions are read again", "by": "ann"} | fields
        own = {"Origin": "http://localhost"}
        return self.client.post(f"/alerts/{alert_id}/replay", data=form, headers=own)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()

    def statuses(self) -> list[str]:
        return [
            status for (status,) in self.rows("SELECT status FROM orders ORDER BY created_at, command_id")
        ]

    def everything(self) -> str:
        with closing(sqlite3.connect(self.path)) as connection:
            return "\n".join(connection.iterdump())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    environ = {"ORDERS_DB": str(tmp_path / "orders.db"), "WEBHOOK_SECRET": SECRET, "CONSOLE_TOKEN": TOKEN}
    services = build_services(load_settings(environ, dotenv_path=None))
    yield Place(services, tmp_path / "orders.db")
    services.store.close()


def test_a_blocked_alert_is_shown_registered_once_and_recorded(place: Place):
    blocked = place.post()
    assert blocked["status"] == "blocked"
    assert f'href="/alerts/{blocked["alert_id"]}/replay"' in place.client.get("/alerts").text
    assert "is blocked: " in place.page(blocked["alert_id"])
    place.let_entries_go()
    before = place.everything()
    assert "BUY 1 INFY MARKET entry of S for default is sent as soon as its turn comes" in place.page(
        blocked["alert_id"]
    )
    assert place.everything() == before  # a preview leaves nothing
    first, second = place.replay(blocked["alert_id"]), place.replay(blocked["alert_id"])
    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"]
    assert place.statuses() == ["FAILED", "CREATED"]
    [(sender, context)] = place.rows(
        "SELECT remote_addr, context_json FROM alerts ORDER BY received_at DESC LIMIT 1"
    )
    reason = "positions are read again"
    asked = {"alert_id": blocked["alert_id"], "by": "console:ann", "reason": reason, "number": 1}
    assert (sender, json.loads(context)["replay"]) == ("console:ann", asked)
    story = place.client.get(first.headers["Location"]).text
    assert f"ann (console) had alert {blocked['alert_id']} registered anew." in story
    assert "positions are read again" in story and SECRET not in story


def test_what_was_registered_anew_is_registered_by_nobody_again(place: Place):
    blocked = place.post()
    place.let_entries_go()
    place.replay(blocked["alert_id"])
    [(again,)] = place.rows("SELECT alert_id FROM alerts ORDER BY received_at DESC LIMIT 1")
    for alert_id in (blocked["alert_id"], again):
        assert "has not ended and may still be sent" in place.page(alert_id)
        assert place.replay(alert_id, 2).status_code == 409
    assert len(place.statuses()) == 2


def test_a_replay_that_was_blocked_may_be_tried_again(place: Place):
    blocked = place.post()
    assert place.replay(blocked["alert_id"]).status_code == 303
    place.let_entries_go()
    [(again,)] = place.rows("SELECT alert_id FROM alerts ORDER BY received_at DESC LIMIT 1")
    assert 'name="number" value="2"' in place.client.get(f"/alerts/{again}/replay").text
    assert place.replay(again, 2).status_code == 303
    assert place.statuses() == ["FAILED", "FAILED", "CREATED"]


def test_an_alert_whose_leg_was_sent_is_never_replayed(place: Place):
    place.let_entries_go()
    sent = place.post(legs=[LEG, LEG | {"tradingsymbol": "TCS"}])
    one, other = (place.services.store.get_by_id(leg["command_id"]) for leg in sent["legs"])
    assert one is not None and other is not None
    at = place.services.clock.now()
    place.services.store.write(lambda tx: tx.apply(claimed(one, at=at, claimant="w")))
    place.services.commands.cancel(other.command_id, by="cli:ann")
    assert f"its order {one.short_id} (BUY INFY) was sent to the broker" in place.page(sent["alert_id"])
    assert place.replay(sent["alert_id"]).status_code == 409


def test_an_alert_that_came_again_and_may_be_sent_is_not_replayed(place: Place):
    blocked = place.post()
    place.let_entries_go()
    assert place.post()["status"] == "accepted"  # positions are read now: it is no repeat of what never began
    assert "the same came again as" in place.page(blocked["alert_id"])
    assert place.replay(blocked["alert_id"]).status_code == 409
    assert place.statuses() == ["FAILED", "CREATED"]


@pytest.mark.parametrize("signal", [{}, {"signal_id": "s9"}])
def test_what_its_sender_delivers_after_a_replay_is_a_duplicate_of_it(place: Place, signal: dict[str, str]):
    bad = place.post(legs=[LEG | {"qty": 0}], **signal)
    place.let_entries_go()
    [(refused,)] = place.rows("SELECT alert_id FROM alerts WHERE outcome = 'rejected'")
    assert "qty" in bad["error"]["field"]
    with (
        closing(sqlite3.connect(place.path)) as connection,
        connection,
    ):  # it can be read by now
        connection.execute("UPDATE alerts SET raw_body = replace(raw_body, '\"qty\": 0', '\"qty\": 1')")
    assert place.replay(refused).status_code == 303
    assert place.post(**signal)["status"] == "duplicate"
    assert place.statuses() == ["CREATED", "FAILED"]


def test_every_rule_judges_a_replay(place: Place):
    blocked = place.post()
    place.let_entries_go()
    place.services.commands.halt("default", by="ann", reason="news")
    assert "is blocked: " in place.page(blocked["alert_id"]) and "(news" in place.page(blocked["alert_id"])
    assert place.replay(blocked["alert_id"]).status_code == 303
    assert place.statuses() == ["FAILED", "FAILED"]


def test_a_refused_alert_is_read_again(place: Place):
    place.post(signal_id="s1")
    refused = place.post(signal_id="s1", legs=[LEG | {"qty": 7}])
    unread = place.post(legs=[LEG | {"qty": 0}])
    place.let_entries_go()
    found = {
        row[1]: row[0]
        for row in place.rows("SELECT alert_id, reason_code FROM alerts WHERE outcome = 'rejected'")
    }
    assert refused["error"]["code"] == "SIGNAL_REUSED" and "qty" in unread["error"]["field"]
    assert place.replay(found.pop("SIGNAL_REUSED")).status_code == 303
    assert place.statuses() == ["FAILED", "CREATED"]
    [other] = found.values()
    assert "It cannot be replayed legs[0].qty" in place.page(other)
    assert place.replay(other).status_code == 409


def test_a_masked_part_a_repeat_and_an_alert_that_is_not_there_are_refused(place: Place):
    hidden = place.post(strategy_name=SECRET)
    assert "a part of its body beside the secret is masked" in place.page(hidden["alert_id"])
    place.let_entries_go()
    first = place.post()
    place.post()
    [(repeat,)] = place.rows("SELECT alert_id FROM alerts WHERE outcome = 'duplicate'")
    assert f"it repeats {first['alert_id']}" in place.page(repeat)
    assert place.replay("nothing").status_code == 404
    assert place.client.get("/alerts/nothing/replay").status_code == 404


@pytest.mark.parametrize("missing", ["by", "reason", "number"])
def test_a_replay_needs_a_name_a_reason_and_what_was_shown(place: Place, missing: str):
    blocked = place.post()
    answer = place.replay(blocked["alert_id"], **{missing: ""})
    assert answer.status_code == 400 and f"{missing}: is missing" in answer.text
    assert place.statuses() == [Status.FAILED]
