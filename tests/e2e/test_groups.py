"""A spread on the real service: one leg is rejected, and the other one is unwound, even if the service is killed."""

from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.service import TOKEN, Service, wait_for

CALL = "NIFTY26NOV24500CE"
HEDGE, SOLD = "NIFTY26NOV25000CE", "REJECT26NOV24500CE"  # the paper broker rejects what begins with REJECT
STRATEGIES = """
[strategies.SPREAD]
group = "all_or_none"
group_timeout_seconds = 20
"""


def spreading(folder: Path) -> Service:
    (folder / "strategies.toml").write_text(STRATEGIES)
    return Service(folder, POSITIONS_REFRESH_SECONDS="0.2", STRATEGIES_FILE=str(folder / "strategies.toml"))


def post_spread(service: Service) -> list[str]:
    common = {"qty": 50, "product_type": "MIS", "order_type": "MARKET"}
    body = {
        "execution_type": "ENTRY",
        "strategy_name": "SPREAD",
        "exchange": "NFO",
        "legs": [
            {"tradingsymbol": SOLD, "direction": "SELL", **common},
            {"tradingsymbol": HEDGE, "direction": "BUY", **common},
        ],
    }
    answer = service.post(body)
    assert answer.json()["status"] == "accepted", answer.text
    return [leg["command_id"] for leg in answer.json()["legs"]]


def unwound(service: Service) -> bool:
    return service.rows("SELECT state FROM order_groups") == [("UNWOUND",)]


def told(service: Service, words: str) -> list[str]:
    rows = service.rows("SELECT message FROM telegram_messages WHERE message LIKE ?", f"%{words}%")
    return [str(message) for (message,) in rows]


def test_where_the_sold_leg_is_rejected_the_hedge_is_sold_again_and_that_is_told(tmp_path: Path) -> None:
    with spreading(tmp_path) as service:
        sold, hedge = post_spread(service)
        wait_for(lambda: unwound(service), 20, "the group to be unwound")
        assert service.order(hedge)["status"] == "EXECUTED"
        assert service.order(sold)["status"] == "FAILED"
        exits = service.rows(
            "SELECT symbol, side, status, filled_quantity FROM orders WHERE execution_type = 'EXIT'"
        )
        assert exits == [(HEDGE, "SELL", "EXECUTED", "50")]
        net = service.broker_rows("SELECT net_quantity FROM positions WHERE symbol = ?", HEDGE)
        assert net in ([], [("0",)])
        [begun], [ended] = told(service, "will not be complete"), told(service, "is unwound")
        assert SOLD in begun and "It is being unwound" in begun
        assert f"50 of {HEDGE} sold again" in ended
        assert service.api("/api/groups") == {"groups": []}
        [group] = service.api("/api/groups?all=1&client=default")["groups"]
        assert (group["state"], group["policy"], group["legs"]) == ("UNWOUND", "all_or_none", [sold, hedge])
        assert [e["to_state"] for e in group["events"]][-1] == "UNWOUND"
        states = service.rows("SELECT to_state FROM order_group_events ORDER BY event_id")
        assert states[0] == ("FORMING",) and states[-2:] == [("UNWINDING",), ("UNWOUND",)]


def post_protected(service: Service) -> str:
    """Sell a call at 112.50 and buy its hedge at 40, protected as a whole; the sold leg's id."""
    service.mark(CALL, 112.5)
    service.mark(HEDGE, 40)
    common = {"qty": 50, "product_type": "MIS", "order_type": "MARKET"}
    body = {
        "execution_type": "ENTRY",
        "strategy_name": "SPREAD",
        "exchange": "NFO",
        "group_protection": {"stop_loss": 1000, "lock_and_trail": {"lock_at": 500, "lock_floor": 200}},
        "legs": [
            {"tradingsymbol": CALL, "direction": "SELL", **common},
            {"tradingsymbol": HEDGE, "direction": "BUY", **common},
        ],
    }
    return str(service.post(body).json()["legs"][0]["command_id"])


def test_a_group_that_is_protected_as_a_whole_leaves_by_its_sum_and_shows_each_step(tmp_path: Path) -> None:
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        sold = post_protected(service)

        def group() -> dict[str, Any]:
            [found] = service.api("/api/groups?all=1")["groups"]
            return dict(found)

        wait_for(lambda: group()["state"] == "COMPLETE", 20, "the group to be complete")
        assert [each["state"] for each in service.api("/api/groups")["groups"]] == ["COMPLETE"]
        service.mark(CALL, 102)
        wait_for(lambda: group()["combined"]["kept"] == "200", 20, "the profit to be locked")
        service.mark(CALL, 108.5)
        wait_for(lambda: group()["state"] == "UNWOUND", 20, "the group to have left")
        assert group()["combined"]["fired_by"] == "LOCK" and service.api("/api/groups") == {"groups": []}
        exits = service.rows(
            "SELECT side, symbol, status FROM orders WHERE execution_type = 'EXIT' ORDER BY sent_at"
        )
        assert exits == [("BUY", CALL, "EXECUTED"), ("SELL", HEDGE, "EXECUTED")]
        kinds = service.rows("SELECT kind FROM order_group_events WHERE kind IS NOT NULL ORDER BY event_id")
        assert kinds == [("OPENED",), ("LOCKED",), ("FIRED",)]
        page = requests.get(
            f"{service.base}/orders/{sold}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        ).text
        assert "A part of the group&#39;s combined profit is locked." in page
        assert (
            len(told(service, "Profit locked")) == 1 == len(told(service, "met the combined locked profit"))
        )


@pytest.mark.gate
@pytest.mark.parametrize("stop_after", ["the hedge is filled", "the unwinding has begun"])
def test_killed_in_between_one_exit_s_units_leave(tmp_path: Path, stop_after: str) -> None:
    with spreading(tmp_path) as service:
        _, hedge = post_spread(service)
        if stop_after == "the hedge is filled":
            wait_for(lambda: service.order(hedge)["status"] == "EXECUTED", 20, stop_after)
        else:
            wait_for(lambda: service.rows("SELECT state FROM order_groups") != [("FORMING",)], 20, stop_after)
        service.kill()
        service.start()
        wait_for(lambda: unwound(service), 30, "the group to be unwound")
        exits = service.rows("SELECT filled_quantity FROM orders WHERE execution_type = 'EXIT'")
        assert exits == [("50",)]
        assert len(told(service, "will not be complete")) == 1


@pytest.mark.gate
@pytest.mark.parametrize("stop_after", ["the stop is met", "the sold leg is bought back"])
def test_killed_while_a_protected_group_leaves_each_leg_leaves_once(tmp_path: Path, stop_after: str) -> None:
    with Service(tmp_path, POSITIONS_REFRESH_SECONDS="0.2") as service:
        post_protected(service)
        wait_for(
            lambda: service.rows("SELECT state FROM order_groups") == [("COMPLETE",)], 20, "it to be complete"
        )
        service.mark(CALL, 140)
        if stop_after == "the stop is met":
            wait_for(
                lambda: service.rows("SELECT state FROM order_groups") != [("COMPLETE",)], 20, stop_after
            )
        else:
            bought = (
                "SELECT 1 FROM orders WHERE execution_type = 'EXIT' AND side = 'BUY' AND status = 'EXECUTED'"
            )
            wait_for(lambda: service.rows(bought) == [(1,)], 20, stop_after)
        service.kill()
        service.start()
        service.mark(CALL, 100)  # what was met is met
        wait_for(lambda: unwound(service), 30, "the group to have left")
        exits = service.rows(
            "SELECT symbol, filled_quantity FROM orders WHERE execution_type = 'EXIT' ORDER BY symbol"
        )
        assert exits == [(CALL, "50"), (HEDGE, "50")]
        nets = service.broker_rows("SELECT net_quantity FROM positions")
        assert set(nets) <= {("0",)}
        assert len(told(service, "met the combined stop")) == 1
