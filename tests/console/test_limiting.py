"""Profit and loss and limits over HTTP, and the state that an operator sets."""

import json
from decimal import Decimal

from domain.broker_reports import Position, PositionsSnapshot
from domain.limits import ClientPolicy, LimitBook, Limits, OwnLimits
from domain.marks import Mark
from domain.pnl import DayResult, Lot, Place, PnlBook
from domain.risk_stops import RiskRule, Stop, StopKey
from domain.times import trading_day
from tests.console.seeding import BEARER, House

HERE = Place("default", "STRADDLE", "NFO", "NIFTY")


def post(house: House, path: str, body: dict[str, object]):
    data = json.dumps(body)
    return house.anonymous().post(path, data=data, content_type="application/json", headers=BEARER)


def seed(house: House) -> None:
    own = OwnLimits(max_daily_loss=Decimal(500), max_open_positions=1)
    book = LimitBook(Limits(max_daily_profit=Decimal(9000)), {"STRADDLE": Limits(own=own)})
    policy = ClientPolicy("default", book, live_allowed=True)
    house.policies["default"] = policy
    now = house.clock.now()
    day = trading_day(now, policy.zone, policy.day_starts)

    def work(tx):
        tx.keep_pnl_book(PnlBook(HERE, (Lot(Decimal(50), Decimal(5000)),)))
        tx.keep_result(DayResult(HERE, day, Decimal(-80), fills=3))
        tx.keep_marks("default", [Mark("NFO", "NIFTY", Decimal(97), now, "x")])
        tx.put_stop(Stop(StopKey("default", "STRADDLE", RiskRule.DAILY_LOSS), now, detail="seen"))

    house.store.write(work)


def test_limits_are_shown_with_value_use_and_state(house: House):
    seed(house)
    [risk] = house.get("/api/risk").json["clients"]
    shown = {(r["strategy_name"], r["limit"]): (r["value"], r["use"], r["state"]) for r in risk["limits"]}
    assert shown == {
        (None, "max_daily_profit"): ("9000", "0", "OK"),
        ("STRADDLE", "max_daily_loss"): ("500", "230", "HIT"),
        ("STRADDLE", "max_open_positions"): ("1", "0", "OK"),
    }
    assert risk["pnl"] == {"own": "-230", "broker": None, "unknown": None}
    [stop] = risk["stops"]
    assert (stop["rule"], stop["is_standing"], stop["detail"]) == ("DAILY_LOSS", True, "seen")


def test_profit_and_loss_is_shown_by_strategy_and_symbol(house: House):
    seed(house)
    [pnl] = house.get("/api/pnl?client=default").json["clients"]
    assert (pnl["realized"], pnl["unrealized"], pnl["own"], pnl["broker"]) == ("-80", "-150", "-230", None)
    assert pnl["symbols"][0]["realized"] == "-80"
    house.clock.advance(120)
    [pnl] = house.get("/api/pnl").json["clients"]
    assert (pnl["unrealized"], pnl["own"]) == (None, None), "a price that is too old is no price"
    assert "no price of NIFTY" in pnl["unknown"]
    assert house.get("/api/pnl?client=nobody").status_code == 404


def test_a_state_is_set_for_all_or_one_strategy_and_active_ends_it(house: House):
    answer = post(
        house, "/api/state", {"state": "reducing", "strategy_name": "S", "reason": "x", "by": "ann"}
    )
    assert answer.json == {"client_id": "default", "strategy_name": "S", "state": "REDUCING", "reason": "x"}
    [stop] = house.store.risk_stops("default")
    assert (stop.key.strategy_name, stop.key.rule, stop.by) == ("S", RiskRule.REDUCING, "ann")
    assert post(house, "/api/state", {"state": "HALTED"}).status_code == 200
    assert [halt["strategy_name"] for halt in house.views.halts()] == [""]
    post(house, "/api/state", {"state": "ACTIVE"})
    post(house, "/api/state", {"state": "ACTIVE", "strategy_name": "S"})
    assert (house.store.risk_stops("default"), house.views.halts()) == ([], [])
    wrong = post(house, "/api/state", {"state": "OFF"})
    assert wrong.status_code == 400 and "ACTIVE, REDUCING, HALTED" in wrong.json["error"]["message"]


def test_flatten_asks_once_for_each_part(house: House):
    assert post(house, "/api/flatten", {}).status_code == 409, "what is open is not known yet"
    now = house.clock.now()
    held = house.fill(house.alert(symbol="NIFTY")[0])
    other = house.fill(house.alert(strategy_name="OTHER", symbol="BANKNIFTY")[0])
    rows = tuple(Position(o.exchange, o.symbol, o.product, o.filled_quantity) for o in (held, other))
    house.store.save_positions("default", PositionsSnapshot(now, rows), now.date())
    answer = post(house, "/api/flatten", {"strategy_name": "OTHER", "reason": "x"}).json
    assert [(e["strategy_name"], e["symbol"]) for e in answer["exits"]] == [("OTHER", "BANKNIFTY")]
    whole = post(house, "/api/flatten", {}).json
    assert {e["symbol"] for e in whole["exits"]} == {"NIFTY", "BANKNIFTY"}
    assert whole["left"] == []
    again = post(house, "/api/flatten", {"symbol": "BANKNIFTY"}).json
    assert [e["command_id"] for e in again["exits"]] == [e["command_id"] for e in answer["exits"]]
    assert post(house, "/api/flatten", {"client_id": "nobody"}).status_code == 404


def test_the_health_page_shows_stops_and_how_to_end_them(house: House):
    seed(house)
    now = house.clock.now()

    def work(tx):
        tx.put_stop(Stop(StopKey("default", "", RiskRule.REDUCING), now, detail="calm", by="ann"))
        tx.put_stop(Stop(StopKey("default", "X", RiskRule.UNKNOWN), now, detail="no price of Y"))
        tx.put_stop(Stop(StopKey("default", "", RiskRule.BEST), now, figure=Decimal(5)))
        tx.put_stop(Stop(StopKey("default", "OLD", RiskRule.DAILY_PROFIT), now, until=now))

    house.store.write(work)
    page = house.get("/health").text
    assert "DAILY LOSS</span> default · STRADDLE" in page and "seen, since" in page and ">Lift<" in page
    assert "REDUCING</span> default" in page and "by ann" in page
    assert "NOT KNOWN</span> default · X" in page and "no price of Y" in page
    assert "BEST" not in page and "OLD" not in page
    assert [stop["rule"] for stop in house.get("/api/health").json["stops"]] == [
        "REDUCING",
        "DAILY_LOSS",
        "UNKNOWN",
    ]


def test_a_limit_without_a_known_use_is_not_called_free(house: House):
    book = LimitBook(
        Limits(
            max_trades_per_day=5, max_gross_exposure=Decimal(9), cooldown_minutes=Decimal(3), stop_streak=2
        )
    )
    house.policies["default"] = ClientPolicy("default", book, live_allowed=True)
    [risk] = house.get("/api/risk").json["clients"]
    assert {(r["limit"], r["state"], r["use"]) for r in risk["limits"]} == {
        (name, "NOT_CHECKED", None)
        for name in ("max_trades_per_day", "max_gross_exposure", "cooldown_minutes", "stop_streak")
    }
    assert "judged with each entry" in house.browser().get("/positions").text
