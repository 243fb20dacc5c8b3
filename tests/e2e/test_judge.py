"""The judge calls every defect that is planted, and nothing else."""

import json
from typing import Any

import pytest

from tests.e2e.judge import MUST_BE_ZERO
from tests.e2e.judge_made_up import MadeUp, at


@pytest.fixture
def world(tmp_path) -> MadeUp:
    """One order of each kind, and all is well."""
    made = MadeUp(tmp_path)
    made.order("filled", "SUBMITTING", "WORKING", "FILLED", broker_order_id="1", filled_quantity="50")
    made.at_broker("1", "owfilled", "COMPLETE", 50)
    made.order("late", "SUBMITTING", "UNKNOWN", "FILLED", broker_order_id="2", filled_quantity="50")
    made.at_broker("2", "owlate", "COMPLETE", 50, taken=2.5)
    made.order("partly", "SUBMITTING", "WORKING", "CANCELLED", broker_order_id="3", filled_quantity="20")
    made.at_broker("3", "owpartly", "CANCELLED", 20)
    made.order("rejected", "SUBMITTING", "WORKING", "REJECTED", broker_order_id="4")
    made.at_broker("4", "owrejected", "REJECTED")
    made.order("refused", "SUBMITTING", "REFUSED", tag="BROKER_REJECTED:RMS")
    made.order("absent", "SUBMITTING", "UNKNOWN", "ABSENT", tag="BROKER_ABSENT:PROVEN")
    made.order("blocked", "BLOCKED", tag="RISK_BLOCKED:DAILY_LOSS_HIT")
    made.order("working", "SUBMITTING", "WORKING", broker_order_id="5")
    made.at_broker("5", "owworking", "OPEN")
    made.order(
        "exit", "SUBMITTING", "FILLED", execution_type="EXIT", broker_order_id="6", filled_quantity="50"
    )
    made.at_broker("6", "owexit", "COMPLETE", 50, side="SELL")
    return made


def called(world: MadeUp) -> dict[str, str]:
    """What is found, by name, each once; whatever is called is named in the evidence."""
    verdict = world.judge()
    found = {name: each for name, each in verdict.found.items() if each}
    assert all(len(each) == 1 for each in found.values()), found
    assert verdict.is_clean is not bool(found)
    assert all(each[0] in verdict.evidence() for each in found.values())
    return {name: each[0] for name, each in found.items()}


def test_a_world_in_order_is_clean(world):
    verdict = world.judge()
    assert verdict.is_clean, verdict.evidence()
    assert set(verdict.found) == set(MUST_BE_ZERO)
    kept = {
        name: verdict.figures[name] for name in ("legs", "at broker", "executed", "failed", "blocked", "open")
    }
    assert kept == {"legs": 9, "at broker": 6, "executed": 3, "failed": 4, "blocked": 1, "open": 1}


def test_a_second_broker_order(world):
    world.at_broker("7", "owfilled", "COMPLETE", 50)
    assert "owfilled" in called(world)["duplicates"]


def test_one_alert_that_became_two(world):
    world.order("again", "SUBMITTING", "FILLED", broker_order_id="7", filled_quantity="50", alert_id="other")
    world.alert(
        "other", {"execution_type": "ENTRY", "legs": [{"tradingsymbol": "filled"}]}, duplicate_of="filled"
    )
    world.at_broker("7", "owagain", "COMPLETE", 50)
    assert "leg 0" in called(world)["duplicates"]


@pytest.mark.parametrize(
    ("status", "filled"),
    [("COMPLETE", 50), ("OPEN", 0), ("PENDING", 0), ("TRIGGER_PENDING", 0), ("CANCELLED", 20)],
)
def test_failed_and_the_broker_has_it(world, status, filled):
    world.at_broker("7", "owrefused", status, filled)
    assert "refused-1" in called(world)["false FAILED"]


def test_failed_with_another_fill_than_the_brokers(world):
    world.order("less", "SUBMITTING", "WORKING", "CANCELLED", broker_order_id="7", filled_quantity="20")
    world.at_broker("7", "owless", "CANCELLED", 30)
    assert "less-1" in called(world)["false FAILED"]


def test_called_failed_too_soon(world):
    world.order(
        "soon", "SUBMITTING", "UNKNOWN", "ABSENT", "FILLED", broker_order_id="7", filled_quantity="50"
    )
    world.at_broker("7", "owsoon", "COMPLETE", 50, taken=2.5)
    assert "soon-1: FAILED/ABSENT became EXECUTED/FILLED" in called(world)["failed too soon"]


def late(world: MadeUp) -> None:
    """Received by a front end at 3.5 s, called FAILED at 9 s, and accepted at 11 s."""
    phases = ("SUBMITTING", "UNKNOWN", "ABSENT", "FILLED")
    world.order("kept", *phases, step=3, broker_order_id="7", filled_quantity="50")
    world.at_broker("7", "owkept", "COMPLETE", 50, received=3.5, taken=11)


def test_a_late_acceptance_within_the_horizon_must_not_have_been_called_failed(world):
    late(world)
    verdict = world.judge(horizon=8)
    assert "kept-1" in verdict.found["failed too soon"][0]
    assert verdict.figures["revived"] == 0


def test_what_was_only_refused_late_was_never_accepted(world):
    world.order("kept", "SUBMITTING", "UNKNOWN", "ABSENT", step=3)
    world.at_broker("7", "owkept", "REJECTED", 0, received=3.5, taken=11)
    verdict = world.judge(horizon=7)
    assert verdict.figures["revived"] == 0
    assert not verdict.found["revived untold"]


@pytest.mark.parametrize(("told", "calls"), [(None, 1), (10.5, 1), (12.0, 0), (35.5, 0), (36.5, 1)])
def test_what_was_accepted_beyond_the_horizon_is_counted_and_must_be_told(world, told, calls):
    late(world)
    if told is not None:
        world.message("RESURRECTED", "kept-1", told=told)
    verdict = world.judge(horizon=7)
    assert verdict.figures["revived"] == 1
    assert not verdict.found["failed too soon"]
    assert len(verdict.found["revived untold"]) == calls


@pytest.mark.parametrize(
    ("number", "status", "filled"),
    [(None, "", 0), ("7", "REJECTED", 0), ("7", "OPEN", 0), ("7", "CANCELLED", 20), ("8", "COMPLETE", 50)],
)
def test_executed_and_the_broker_has_not_filled_it(world, number, status, filled):
    world.order("lie", "SUBMITTING", "FILLED", broker_order_id="7", filled_quantity="50")
    if number is not None:
        world.at_broker(number, "owlie", status, filled)
    assert "lie-1" in called(world)["false EXECUTED"]


def test_an_acknowledged_alert_without_rows(world):
    world.delivery({"execution_type": "ENTRY", "legs": [{"tradingsymbol": "gone"}]}, 200)
    assert "gone" in called(world)["acks lost"]


def test_an_acknowledged_leg_without_a_row(world):
    body = {"execution_type": "ENTRY", "legs": [{"tradingsymbol": "a"}, {"tradingsymbol": "b"}]}
    world.alert("half", body)
    world.order("half", "BLOCKED", alert_id="half")
    world.delivery(body, 200, "half-1")
    assert "2 legs acknowledged, 1" in called(world)["acks lost"]


def parts(world: MadeUp, number: str) -> None:
    """A further part of the exit, with a broker order of its own."""
    filled: dict[str, Any] = {"broker_order_id": number, "filled_quantity": "20", "execution_type": "EXIT"}
    name: dict[str, Any] = {"alert_id": "exit", "parent_command_id": "exit-1"}
    world.order(f"part{number}", "SUBMITTING", "WORKING", "CANCELLED", **name, **filled)
    world.at_broker(number, f"owpart{number}", "CANCELLED", 20, side="SELL")


def test_a_leg_in_several_parts_is_one_leg_that_was_sent_once_each(world):
    parts(world, "7")
    assert not called(world)


def test_an_acknowledged_command_id_without_a_row(world):
    body = {"execution_type": "ENTRY", "legs": [{"tradingsymbol": "filled"}]}
    world.delivery(body, 200, "filled-1", "never-1")
    assert "never-1" in called(world)["acks lost"]


@pytest.mark.parametrize("status", [None, 503, 500, 400])
def test_what_was_not_acknowledged_cannot_be_lost(world, status):
    world.delivery({"legs": [{"tradingsymbol": "gone"}]}, status)
    assert set(called(world)) == {"never acknowledged"}


@pytest.mark.parametrize(("status", "word"), [(None, "nothing"), (503, "503"), (400, "400")])
def test_an_alert_that_was_never_acknowledged(world, status, word):
    body = {"legs": [{"tradingsymbol": "never"}]}
    world.delivery(body, 500)
    world.delivery(body, status)
    found = called(world)["never acknowledged"]
    assert "never" in found and f"2 tries, the last answered with {word}" in found


def test_an_alert_that_was_acknowledged_at_last_or_at_first(world):
    body = {"execution_type": "ENTRY", "legs": [{"tradingsymbol": "filled"}]}
    world.delivery(body, 503)
    world.delivery(body, None)
    assert not called(world)


def test_a_run_that_was_none(world):
    assert world.judge("nothing was killed").found["run faults"] == ["nothing was killed"]
    assert not world.judge("nothing was killed").is_clean


def test_a_service_that_took_nothing(tmp_path):
    verdict = MadeUp(tmp_path).judge()
    assert verdict.found["run faults"] == ["no alert was acknowledged", "no order reached the broker"]
    assert not verdict.is_clean


def test_a_blocked_leg_that_was_sent(world):
    world.at_broker("7", "owblocked", "REJECTED")
    found = called(world)
    assert "blocked-1" in found["blocked but sent"]
    assert "was FAILED" in found["sent before durable"]


@pytest.mark.parametrize(("taken", "state"), [(-1, "no row"), (0.5, "CREATED")])
def test_sent_before_it_was_durable_as_sent(world, taken, state):
    world.order("early", "SUBMITTING", "REJECTED", began=10, broker_order_id="7")
    world.at_broker("7", "owearly", "REJECTED", taken=10 + taken)
    assert f"was {state}" in called(world)["sent before durable"]


def test_taken_back_as_never_sent_and_then_taken_by_the_broker(world):
    world.order(
        "back", "SUBMITTING", "REGISTERED", "SUBMITTING", "FILLED", broker_order_id="7", filled_quantity="50"
    )
    world.at_broker("7", "owback", "COMPLETE", 50, taken=2.5)
    assert "was CREATED" in called(world)["sent before durable"]


def test_an_order_by_hand_needs_no_row(world):
    world.by_hand("7", 50, 3)
    assert not called(world)
    assert world.judge().figures["by hand"] == 1


@pytest.mark.parametrize("remarks", ["owstranger", None])
def test_a_broker_order_that_no_row_explains(world, remarks):
    world.at_broker("7", remarks, "REJECTED")
    assert "7" in called(world)["unexplained at broker"]


@pytest.mark.parametrize(
    "phases", [(), ("SUBMITTING",), ("SUBMITTING", "WORKING")], ids=["created", "claimed", "working"]
)
def test_an_order_that_never_ends(world, phases):
    world.order("open", *phases)
    assert "open-1" in called(world)["unfinished"]


def test_an_exit_that_waits_for_an_outcome_that_a_person_has_to_settle_is_not_unfinished(world):
    world.order("unknown", "SUBMITTING", "UNKNOWN")
    world.message("UNKNOWN", "unknown-1")
    world.order("waits", execution_type="EXIT")
    assert not called(world)


def test_unknown_is_not_unfinished_but_must_be_told_within_a_minute(world):
    world.order("unknown", "SUBMITTING", "UNKNOWN", told=False)
    assert "unknown-1" in called(world)["untold"]
    world.message("UNKNOWN", "unknown-1")
    assert not called(world)


@pytest.mark.parametrize(("step", "long"), [(20, False), (36, False), (39, True)])
def test_an_outcome_that_was_unknown_for_long_and_never_told(world, step, long):
    """Unknown from the second step to the third, which is 40, 72 or 78 seconds after the order was sent."""
    world.order("slow", "SUBMITTING", "UNKNOWN", "ABSENT", step=step)
    assert ("slow-1" in called(world).get("untold", "")) is long


def test_a_minute_of_not_knowing_may_come_in_pieces_and_begins_anew(world):
    phases = ["REGISTERED", "SUBMITTING", "UNKNOWN", "WORKING"] * 6
    world.order("on and off", *phases[1:], "CANCELLED", step=10)
    assert not called(world)


def test_a_failure_that_was_not_told(world):
    world.order("quiet", "BLOCKED", told=False)
    assert "quiet-1" in called(world)["untold"]


@pytest.mark.parametrize(("instead_of", "is_told_of"), [("priced-1", False), ("another-1", True)])
def test_what_was_cancelled_for_a_new_price_need_not_be_told_where_another_row_exits_its_rest(
    world, instead_of, is_told_of
):
    world.order("priced", "SUBMITTING", "WORKING", "CANCELLED", told=False)
    world.order("next", "BLOCKED", context_json=json.dumps({"chase": {"instead_of": instead_of}}))
    assert ("priced-1" in called(world).get("untold", "")) is is_told_of


@pytest.mark.parametrize("status", ["PENDING", "FAILED"])
def test_a_message_that_was_not_delivered(world, status):
    world.message("FILLED", "filled-1", status)
    assert status in called(world)["messages undelivered"]


def test_a_message_that_nobody_received(world):
    world.message("FILLED", "filled-1")
    world.delivered.pop()
    world.delivered.update(str(number) for number in range(1, 9))
    world.delivered -= {"9"}
    assert "never delivered" in called(world)["messages undelivered"]


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE order_events SET detail_json = replace(detail_json, '50', '51') WHERE command_id = 'filled-1'",
        "UPDATE order_events SET actor = 'nobody' WHERE command_id = 'filled-1' AND to_phase = 'WORKING'",
        "UPDATE order_events SET to_status = 'FAILED' WHERE command_id = 'filled-1' AND to_phase = 'FILLED'",
        "DELETE FROM order_events WHERE command_id = 'filled-1' AND to_phase = 'WORKING'",
        "UPDATE orders SET price = '1' WHERE command_id = 'filled-1'",
    ],
)
def test_a_history_that_was_changed(world, spoil):
    world.run(spoil)
    assert "filled-1" in called(world)["history faults"]


def test_a_history_whose_end_was_cut_off(world):
    world.run("DELETE FROM order_events WHERE command_id = 'blocked-1' AND to_phase = 'BLOCKED'")
    assert "blocked-1" in called(world)["history faults"]


def test_events_whose_row_is_gone(world):
    world.order("gone", "BLOCKED", alert_id="gone")
    world.run("DELETE FROM orders WHERE command_id = 'gone-1'")
    assert "gone-1" in called(world)["history faults"]


def test_repeated_deliveries_are_one_alert(world):
    body = {"execution_type": "ENTRY", "legs": [{"tradingsymbol": "filled"}]}
    alerts = world.judge().figures["alerts sent"]
    world.delivery({"secret_key": "another", **json.loads(json.dumps(body))}, None)
    figures = world.judge().figures
    assert figures["alerts sent"] == alerts
    assert figures["deliveries"] == alerts + 1


def test_the_line_names_every_figure_and_every_check(world):
    line = str(world.judge())
    assert "alerts sent 9" in line.partition(" | ")[0]
    assert all(f"{name} 0" in line.partition(" | ")[2] for name in MUST_BE_ZERO)
    assert at(61.5) == "2026-11-20T04:01:01.500000Z"
