"""Protection on the real service: a price path moves the stop, the exit goes once, and the story shows each move."""

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.service import TOKEN, Service, alert, wait_for

SYMBOL = "NIFTY26NOV24500CE"
TERMS = {"stop_loss": "2%", "target": 150, "trailing_type": "POINTS", "trailing_value": 3, "trail_when": 5}


def protected(**terms: Any) -> dict[str, Any]:
    body = alert(SYMBOL, price=100.0)
    body["legs"][0] |= terms
    return body


def entered(service: Service, **terms: Any) -> str:
    """Post a protected entry, wait until it is filled and protected; its id."""
    answer = service.post(protected(**terms)).json()
    assert answer["status"] == "accepted", answer
    id_ = str(answer["legs"][0]["command_id"])
    assert service.settled(id_)["status"] == "EXECUTED"
    wait_for(lambda: protection(service)["status"] == "ACTIVE", 5, "the protection to be active")
    return id_


def protection(service: Service) -> dict[str, Any]:
    [found] = service.api("/api/protections", params={"all": "1"})["protections"]
    return dict(found)


def price(service: Service, value: float, stop: str) -> None:
    """Set the price, and wait until the stop is there."""
    service.mark(SYMBOL, value)
    wait_for(lambda: protection(service)["stop_price"] == stop, 5, f"the stop at {stop} after {value}")


def net(service: Service) -> list[tuple[str, str]]:
    return service.broker_rows("SELECT symbol, net_quantity FROM positions")


def test_a_price_path_moves_the_stop_and_one_exit_leaves(tmp_path: Path) -> None:
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        entry = entered(service, **TERMS)
        price(service, 104, "98")
        price(service, 105, "102")
        price(service, 112, "109")
        price(service, 110, "109")
        service.mark(SYMBOL, 108.5)
        wait_for(lambda: protection(service)["status"] == "FIRED", 5, "the stop to fire")
        exit_id = str(protection(service)["exit_command_id"])
        exit_ = service.settled(exit_id)
        assert (exit_["status"], exit_["side"], exit_["filled_quantity"]) == ("EXECUTED", "SELL", "50")
        assert exit_["average_price"] == "108.5"
        service.mark(SYMBOL, 90)
        service.mark(SYMBOL, 160)
        service.post(alert("OTHER"))
        service.all_settled()
        assert service.rows("SELECT count(*) FROM orders WHERE execution_type = 'EXIT'") == [(1,)]
        assert (SYMBOL, "0") in net(service)
        [story] = service.api(f"/api/orders/{entry}")["protections"]
        kinds = [event["kind"] for event in story["events"]]
        assert kinds == ["OPENED", "FILLED", "ARMED", "MOVED", "MOVED", "FIRED"]
        assert story["events"][-1]["facts"]["price"] == "108.5"
        [same] = service.api(f"/api/orders/{exit_id}")["protections"]
        assert same["protection_id"] == story["protection_id"]
        page = requests.get(
            f"{service.base}/orders/{entry}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        ).text
        assert "<h2>Protection</h2>" in page and "Its stop was tightened by the trail." in page
        told = service.rows(
            "SELECT kind FROM telegram_messages WHERE kind LIKE 'TRAIL%' OR kind LIKE '%FIRED'"
        )
        assert told == [("TRAIL_ARMED",), ("STOP_FIRED",)]
        loops = service.rows("SELECT state FROM heartbeats WHERE loop = 'protect'")
        assert loops == [("OK",)]


def test_a_person_tightens_and_cancels_over_http(tmp_path: Path) -> None:
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        entered(service, stop_loss=90)
        id_ = str(protection(service)["protection_id"])
        changed = service.wish(f"protections/{id_}", stop_price="95", by="ann")
        assert (changed["stop_price"], changed["events"][-1]["kind"]) == ("95", "CHANGED")
        loose = requests.post(
            f"{service.base}/api/protections/{id_}",
            json={"stop_price": 94, "by": "ann"},
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )
        assert (loose.status_code, loose.json()["error"]["field"]) == (400, "stop_price")
        assert "only tightens" in loose.json()["error"]["message"]
        assert (
            service.wish(f"protections/{id_}", cancel=True, reason="by hand", by="ann")["status"] == "ENDED"
        )
        service.mark(SYMBOL, 80)
        service.post(alert("OTHER"))
        service.all_settled()
        assert service.rows("SELECT count(*) FROM orders WHERE execution_type = 'EXIT'") == [(0,)]


@pytest.mark.gate
def test_killed_between_the_price_and_the_exit_one_exit_leaves(tmp_path: Path) -> None:
    """Killed at moments from the price to the fill; each time one exit's units leave."""
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        for number, delay in enumerate((0.0, 0.003, 0.008, 0.02)):
            service.mark(SYMBOL, 100)
            body = protected(stop_loss=95) | {"signal_id": f"s{number}"}
            id_ = str(service.post(body).json()["legs"][0]["command_id"])
            assert service.settled(id_)["status"] == "EXECUTED"
            wait_for(lambda id_=id_: _status(service, id_) == "ACTIVE", 5, "the protection")  # type: ignore[misc]
            service.mark(SYMBOL, 94)
            time.sleep(delay)
            service.kill()
            service.start()
            wait_for(lambda id_=id_: _status(service, id_) == "FIRED", 10, "the stop to fire")  # type: ignore[misc]
            service.all_settled()
            count = service.rows("SELECT count(*) FROM orders WHERE execution_type = 'EXIT'")
            assert count == [(number + 1,)]
            assert net(service) == [(SYMBOL, "0")]


def _status(service: Service, command_id: str) -> str:
    return str(service.rows("SELECT status FROM protections WHERE command_id = ?", command_id)[0][0])


def test_two_targets_leave_one_after_the_other_and_each_page_shows_the_protection(tmp_path: Path) -> None:
    targets = [{"value": 110, "share": 50}, {"value": 120}]
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        entry = entered(service, stop_loss="2%", target=targets, move_to_cost={"trigger": 8, "offset": 1})
        service.mark(SYMBOL, 110)
        wait_for(lambda: protection(service)["quantity"] == "25", 5, "the first target to leave")
        assert (protection(service)["stop_price"], protection(service)["target_price"]) == ("101", "120")
        first = str(protection(service)["exit_command_id"])
        service.settled(first)
        service.mark(SYMBOL, 101)
        wait_for(lambda: protection(service)["status"] == "FIRED", 5, "the stop to fire")
        second = str(protection(service)["exit_command_id"])
        service.settled(second)
        wait_for(lambda: not protection(service)["is_watched"], 5, "the protection to be over")
        assert net(service) == [(SYMBOL, "0")]
        for number in (entry, first, second):
            [story] = service.api(f"/api/orders/{number}")["protections"]
            assert story["protection_id"] == f"p-{entry}"
        page = requests.get(
            f"{service.base}/orders/{entry}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        ).text
        assert f'href="/orders/{first}"' in page and f'href="/orders/{second}"' in page
        assert "110 50 % (25 asked for), 120 50 %" in page
        told = service.rows(
            "SELECT kind FROM telegram_messages WHERE kind LIKE '%COST' OR kind LIKE '%FIRED'"
        )
        assert told == [("STOP_AT_COST",), ("TARGET_FIRED",), ("STOP_FIRED",)]


@pytest.mark.gate
def test_a_time_to_exit_that_passes_while_the_service_is_down_fires_once(tmp_path: Path) -> None:
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        id_ = entered(service, exit_after_minutes="0.1")
        service.kill()
        time.sleep(6)
        service.start()
        wait_for(lambda: _status(service, id_) == "FIRED", 10, "the exit by the clock")
        service.all_settled()
        assert service.rows("SELECT count(*) FROM orders WHERE execution_type = 'EXIT'") == [(1,)]
        assert net(service) == [(SYMBOL, "0")]
