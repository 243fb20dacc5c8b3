"""Limits on the real service: a price path takes a strategy to its limit, it leaves, and the other one goes on."""

import time
from pathlib import Path

import pytest

from tests.e2e.service import Service, alert, wait_for

SYMBOL, OTHERS = "NIFTY26NOV24500CE", "BANKNIFTY26NOV52000CE"
LIMITS = """
[strategies.LOSER]
max_daily_loss = 500
on_daily_loss = "flatten"
"""
HIT = "RISK_BLOCKED:DAILY_LOSS_HIT"


def limited(folder: Path) -> Service:
    (folder / "limits.toml").write_text(LIMITS)
    return Service(folder, POSITIONS_REFRESH_SECONDS="0.2", LIMITS_FILE=str(folder / "limits.toml"))


def enter(service: Service, symbol: str, strategy: str) -> str:
    body = alert(symbol, price=100.0) | {"strategy_name": strategy}
    return str(service.post(body).json()["legs"][0]["command_id"])


def entered(service: Service) -> None:
    for symbol, strategy in ((SYMBOL, "LOSER"), (OTHERS, "WINNER")):
        assert service.settled(enter(service, symbol, strategy))["status"] == "EXECUTED"


def exits(service: Service) -> list[tuple[str, str, str]]:
    return service.rows(
        "SELECT strategy_name, status, filled_quantity FROM orders WHERE execution_type = 'EXIT'"
    )


def is_flat(service: Service) -> bool:
    return ("FLAT",) in service.rows("SELECT kind FROM risk_events")


def test_a_strategy_at_its_limit_is_flat_and_the_others_go_on(tmp_path: Path) -> None:
    with limited(tmp_path) as service:
        entered(service)
        service.mark(SYMBOL, 89)
        wait_for(lambda: is_flat(service), 20, "the strategy to be flat")
        assert exits(service) == [("LOSER", "EXECUTED", "50")]
        tags = [enter(service, "S1", "LOSER"), enter(service, "S2", "WINNER")]
        assert [service.settled(id_)["tag"] for id_ in tags] == [HIT, None]
        told = service.rows("SELECT count(*) FROM telegram_messages WHERE kind = 'LOSS_LIMIT_HIT'")
        assert told == [(1,)]
        [risk] = service.api("/api/risk")["clients"]
        assert [(r["strategy_name"], r["limit"], r["state"]) for r in risk["limits"]] == [
            ("LOSER", "max_daily_loss", "HIT")
        ]
        [pnl] = service.api("/api/pnl")["clients"]
        sums = {each["strategy_name"]: each["realized"] for each in pnl["strategies"]}
        assert sums == {"LOSER": "-550", "WINNER": "0"}
        service.wish("latches/lift", reason="it is meant so", by="ann")
        assert service.settled(enter(service, "S3", "LOSER"))["status"] == "EXECUTED"
        assert service.rows("SELECT state FROM heartbeats WHERE loop = 'risk'") == [("OK",)]


@pytest.mark.gate
@pytest.mark.parametrize("seconds", [3.1, 3.5])
def test_killed_between_the_price_and_being_flat_one_exit_s_units_leave(
    tmp_path: Path, seconds: float
) -> None:
    with limited(tmp_path) as service:
        entered(service)
        service.mark(SYMBOL, 89)
        time.sleep(seconds)
        service.kill()
        service.start()
        wait_for(lambda: is_flat(service), 30, "the strategy to be flat")
        assert sum(int(units) for _, _, units in exits(service)) == 50
        net = dict(service.broker_rows("SELECT symbol, net_quantity FROM positions"))
        assert (net[SYMBOL], net[OTHERS]) == ("0", "50")
        told = service.rows("SELECT count(*) FROM telegram_messages WHERE kind = 'LOSS_LIMIT_HIT'")
        assert told == [(1,)]
