"""Entries that are claimed together end as they would one by one, down to the hashes."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.enums import Side, TestMode
from domain.errors import NotSent, OutcomeUnknown
from domain.limits import Limits
from tests.engine.test_batches import a_desk, drain
from tests.support import EXIT, MARKET_EXIT, ManualClock, leg


class StillClock(ManualClock):
    """All happens at one instant, so that hashes can be compared."""

    def now(self) -> datetime:
        return self.at


@st.composite
def posts(draw):
    """Alerts: entries of some strategies and symbols, with exits and legs between them."""
    found = []
    for number in range(draw(st.integers(3, 10))):
        symbols = draw(
            st.lists(st.sampled_from(["A", "B", "C", "D", "E"]), min_size=1, max_size=3, unique=True)
        )
        sides = [draw(st.sampled_from([Side.BUY, Side.BUY, Side.SELL])) for _ in symbols]
        strategy = draw(st.sampled_from(["S", "T"]))
        is_exit = draw(st.integers(0, 6)) == 0
        mode = draw(st.sampled_from([None, None, None, TestMode.SUCCESS]))
        found.append((number, list(zip(symbols, sides, strict=True)), strategy, is_exit, mode))
    return found


def story(
    folder: Path, together: int, alerts: list, script: list, limits: Limits
) -> list[tuple[object, ...]]:
    desk = a_desk(folder, together=together)
    desk.clock.advance(10)
    desk.engine.refresh("default", force=True)
    still = StillClock(desk.clock.now())
    desk.clock.__class__ = StillClock
    desk.clock.at = still.at
    for number, legs, strategy, is_exit, mode in alerts:
        made = [
            replace(MARKET_EXIT, symbol=symbol) if is_exit else leg(symbol, side=side)
            for symbol, side in legs
        ]
        kind = EXIT if is_exit else {}
        desk.post(*made, strategy_name=strategy, signal_id=f"s{number}", test_mode=mode, **kind)
    policy = desk.policies["default"]
    desk.policies["default"] = replace(policy, limits=replace(policy.limits, default=limits))
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    desk.broker.script = list(script)
    drain(desk)
    desk.engine.reconcile("default")
    drain(desk)
    found = desk.rows("SELECT * FROM orders ORDER BY command_id")
    found += desk.rows(
        "SELECT command_id, at, to_phase, tag, detail_json, hash FROM order_events ORDER BY command_id, event_id"
    )
    found += desk.rows(
        "SELECT idempotency_key, status, order_id, error_message FROM order_intents ORDER BY id"
    )
    found += desk.rows("SELECT * FROM holdings ORDER BY 1, 2, 3, 4, 5")
    found += desk.rows(
        "SELECT alert_id, decision_type, reason_code, reason_message FROM alerts ORDER BY alert_id"
    )
    found += sorted(desk.rows("SELECT command_id, kind, message FROM telegram_messages"), key=repr)
    desk.store.close()
    return found


@settings(max_examples=60, deadline=None)
@given(
    alerts=posts(),
    failing=st.lists(st.sampled_from([None, None, None, "unknown", "not sent"]), max_size=6),
    most=st.sampled_from([None, None, 2, 4]),
)
def test_batches_leave_what_single_claims_leave(alerts, failing, most):
    errors = {None: None, "unknown": OutcomeUnknown("timed out"), "not sent": NotSent("no connection")}
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with TemporaryDirectory(dir=memory) as folder:
        stories = []
        for together in (1, 6):
            here = Path(folder) / str(together)
            here.mkdir()
            script = [errors[each] for each in failing]
            stories.append(story(here, together, alerts, script, Limits(max_open_orders=most)))
        assert stories[0] == stories[1]
