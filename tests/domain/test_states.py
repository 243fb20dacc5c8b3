"""The table of transitions, edge by edge: who changes it has to change this text too."""

import pytest

from domain.errors import IllegalTransition
from domain.states import MAY_BE_LIVE, STATUS_OF, TRANSITIONS, Phase, Status, check_transition

STATUSES = {
    "CREATED": "REGISTERED",
    "SENT_TO_BROKER": "SUBMITTING UNKNOWN WORKING PARTIALLY_FILLED",
    "EXECUTED": "FILLED",
    "FAILED": "BLOCKED LAPSED REFUSED REJECTED CANCELLED EXPIRED ABSENT",
}
BOOK = "WORKING PARTIALLY_FILLED FILLED REJECTED CANCELLED EXPIRED"
EDGES = {
    "REGISTERED": "REGISTERED SUBMITTING BLOCKED LAPSED",
    "SUBMITTING": f"SUBMITTING REGISTERED UNKNOWN REFUSED LAPSED {BOOK}",
    "UNKNOWN": f"UNKNOWN ABSENT REFUSED {BOOK}",
    "WORKING": f"UNKNOWN {BOOK}",
    "PARTIALLY_FILLED": "UNKNOWN PARTIALLY_FILLED FILLED REJECTED CANCELLED EXPIRED",
    "FILLED": "FILLED",
    "BLOCKED": "",
    "LAPSED": BOOK,
    "REFUSED": BOOK,
    "REJECTED": BOOK,
    "CANCELLED": BOOK,
    "EXPIRED": BOOK,
    "ABSENT": f"ABSENT {BOOK}",
}


def ways_to(target: Phase) -> set[Phase]:
    return {phase for phase, targets in TRANSITIONS.items() if target in targets}


def test_each_phase_belongs_to_one_status():
    assert {phase.value: status.value for phase, status in STATUS_OF.items()} == {
        phase: status for status, phases in STATUSES.items() for phase in phases.split()
    }
    assert set(STATUS_OF) == set(Phase)
    assert set(STATUS_OF.values()) == set(Status)


@pytest.mark.parametrize("current", Phase)
def test_every_pair_of_phases_is_an_edge_or_raises(current):
    legal = set(EDGES[current].split())
    for target in Phase:
        if target in legal:
            check_transition(current, target)
        else:
            with pytest.raises(IllegalTransition, match=f"{current} does not lead to {target}"):
                check_transition(current, target)


def test_every_phase_can_be_reached_from_registration():
    reached, wave = {Phase.REGISTERED}, {Phase.REGISTERED}
    while wave:
        wave = {target for phase in wave for target in TRANSITIONS[phase]} - reached
        reached |= wave
    assert reached == set(Phase)


def test_nothing_leads_out_of_what_was_never_sent():
    assert [phase for phase in Phase if not TRANSITIONS[phase]] == [Phase.BLOCKED]
    assert ways_to(Phase.BLOCKED) == {Phase.REGISTERED}
    assert ways_to(Phase.LAPSED) == {Phase.REGISTERED, Phase.SUBMITTING}


def test_filled_stays_filled():
    assert TRANSITIONS[Phase.FILLED] == {Phase.FILLED}


def test_only_a_call_that_provably_never_left_goes_back_to_be_sent_again():
    assert ways_to(Phase.REGISTERED) == {Phase.REGISTERED, Phase.SUBMITTING}
    assert ways_to(Phase.SUBMITTING) == {Phase.REGISTERED, Phase.SUBMITTING}


def test_absence_can_only_follow_an_unknown_outcome():
    assert ways_to(Phase.ABSENT) == {Phase.UNKNOWN, Phase.ABSENT}


def test_whatever_was_sent_can_still_turn_out_live_or_filled():
    sent = set(Phase) - {Phase.REGISTERED, Phase.BLOCKED}
    assert ways_to(Phase.FILLED) == sent
    assert ways_to(Phase.PARTIALLY_FILLED) == sent - {Phase.FILLED}


def test_an_order_may_be_live_exactly_while_it_is_with_the_broker():
    assert {phase for phase in Phase if STATUS_OF[phase] is Status.SENT_TO_BROKER} == MAY_BE_LIVE
