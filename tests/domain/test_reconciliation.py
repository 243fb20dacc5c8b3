"""One pass converges, fills never shrink, nothing is called absent without proof, and the broker's book wins."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, BrokerStatus, OrderReport
from domain.enums import Side
from domain.order import Order
from domain.order_events import advance
from domain.order_matching import shows_all_since
from domain.reason_codes import Reason
from domain.reconciliation import NOTHING, Verdict, decide, find_report
from domain.states import MAY_BE_LIVE, TRANSITIONS, Phase, Status
from tests.domain.making import SENT, an_order

QUICK = settings(max_examples=200, deadline=None, derandomize=True)
ENDS = timedelta(seconds=17)
HORIZON = 3.0
TRAITS = BrokerTraits("fake", is_real=False, id_class=IdClass.C1, visibility_horizon=HORIZON)
LATER = SENT + timedelta(minutes=10)
TICK = timedelta(microseconds=1)

LIVE = (BrokerStatus.PENDING, BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING)
DEAD = (BrokerStatus.REJECTED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED)
NEVER_SENT = (Phase.REGISTERED, Phase.BLOCKED, Phase.LAPSED)
JUDGED = [p for p in Phase if p not in (*NEVER_SENT, Phase.SUBMITTING)]
"""The phases about which a book can say something."""


def report(status: BrokerStatus, filled: int = 0, **changes: object) -> OrderReport:
    values: dict[str, object] = {
        "broker_order_id": "B1",
        "client_order_id": "owabcdefghijklmnopqr",
        "status": status,
        "exchange": "NFO",
        "symbol": "NIFTY26NOV24500CE",
        "side": Side.BUY,
        "quantity": Decimal(50),
        "filled_quantity": Decimal(filled),
        "average_price": Decimal(112) if filled else None,
    }
    return OrderReport(**(values | changes))  # type: ignore[arg-type]


def book(*reports: OrderReport, at=LATER, complete=True) -> Book:
    return Book(at, reports, complete)


def judge(order: Order, seen: Book) -> Verdict:
    return decide(order, seen, TRAITS, sending_ends=ENDS)


def apply(order: Order, seen: Book, *, at=None) -> Order:
    """The order after what the book decides, a moment after it was read."""
    verdict = judge(order, seen)
    if verdict.phase is None:
        assert not verdict.changes
        return order
    at = at or max(seen.read_started_at, order.updated_at or seen.read_started_at) + TICK
    return advance(order, verdict.phase, at=at, actor="w", **verdict.changes).after


# every phase with every report ------------------------------------------------------------------------------

PAIRS = [
    pytest.param(phase, status, filled, id=f"{phase}-{status}-{filled}")
    for phase, status, filled in itertools.product(JUDGED, BrokerStatus, (0, 20, 50, 60))
    if not (phase is Phase.FILLED and status in LIVE and filled > 50)
]


@pytest.mark.parametrize(("phase", "status", "filled"), PAIRS)
def test_every_report_about_every_phase_is_applied_once_and_then_says_nothing_new(phase, status, filled):
    order, seen = an_order(phase), book(report(status, filled))
    verdict = judge(order, seen)
    if verdict.phase is not None:
        assert verdict.phase in TRANSITIONS[phase]
    after = apply(order, seen)
    assert after.filled_quantity >= order.filled_quantity
    assert after.status is not Status.EXECUTED or after.broker_order_id
    if status in LIVE and phase is not Phase.FILLED:
        assert after.status is Status.SENT_TO_BROKER, "live at the broker"
    if filled >= 50 and status is not BrokerStatus.UNRECOGNISED and status not in LIVE:
        assert after.status is Status.EXECUTED, "filled at the broker"
    again = judge(after, seen)
    assert again.phase is None
    if filled <= 50:
        assert again == NOTHING


@pytest.mark.parametrize("status", LIVE)
def test_an_overfill_that_the_broker_still_calls_open_is_recorded(status):
    after = apply(an_order(Phase.FILLED), book(report(status, 60)))
    assert (after.phase, after.filled_quantity) == (Phase.FILLED, 60)


def test_an_overfill_of_a_live_order_is_an_alarm_once():
    seen = book(report(BrokerStatus.OPEN, 60))
    after = apply(an_order(Phase.WORKING), seen)
    assert judge(after, seen) == NOTHING


@pytest.mark.parametrize(
    ("status", "filled", "phase", "tag"),
    [
        (BrokerStatus.PENDING, 0, "WORKING", None),
        (BrokerStatus.OPEN, 0, "WORKING", None),
        (BrokerStatus.TRIGGER_PENDING, 0, "WORKING", None),
        (BrokerStatus.OPEN, 20, "PARTIALLY_FILLED", None),
        (BrokerStatus.OPEN, 50, "PARTIALLY_FILLED", None),
        (BrokerStatus.COMPLETE, 0, "WORKING", None),
        (BrokerStatus.COMPLETE, 20, "PARTIALLY_FILLED", None),
        (BrokerStatus.COMPLETE, 50, "FILLED", None),
        (BrokerStatus.COMPLETE, 60, "FILLED", None),
        (BrokerStatus.REJECTED, 0, "REJECTED", "BROKER_REJECTED:RMS7"),
        (BrokerStatus.CANCELLED, 20, "CANCELLED", "BROKER_CANCELLED"),
        (BrokerStatus.EXPIRED, 0, "EXPIRED", "BROKER_EXPIRED"),
        (BrokerStatus.CANCELLED, 50, "FILLED", None),
    ],
)
def test_what_the_book_says_of_an_unknown_outcome(status, filled, phase, tag):
    after = apply(an_order(Phase.UNKNOWN), book(report(status, filled, code="RMS7")))
    assert (after.phase, after.tag, after.filled_quantity) == (phase, tag, filled)
    assert after.broker_order_id == "B1"


def test_a_dead_row_of_one_of_several_sends_waits_for_the_others():
    """The first send was accepted, the second was turned away and left a dead row under the same tag."""
    order = an_order(Phase.UNKNOWN, attempts=2)
    dead = report(BrokerStatus.REJECTED, broker_order_id="B2")
    early = SENT + ENDS + timedelta(seconds=HORIZON) - TICK
    assert judge(order, book(dead, at=early)).phase is None
    assert apply(order, book(dead, report(BrokerStatus.COMPLETE, 50), at=early)).phase is Phase.FILLED
    assert apply(order, book(dead)).phase is Phase.REJECTED  # such a book would show the other one too
    once = an_order(Phase.UNKNOWN, attempts=1)
    assert apply(once, book(dead, at=early)).phase is Phase.REJECTED


def test_complete_means_all_of_what_the_broker_has_as_the_quantity():
    reduced = report(BrokerStatus.COMPLETE, 30, quantity=Decimal(30))
    order = apply(an_order(Phase.WORKING), book(reduced))
    assert (order.phase, order.filled_quantity) == (Phase.CANCELLED, 30), "less was filled than was asked for"
    assert "its quantity was changed to 30" in str(order.reason_message)
    silent = report(BrokerStatus.COMPLETE, 30, quantity=Decimal(0))
    assert apply(an_order(Phase.WORKING), book(silent)).phase is Phase.PARTIALLY_FILLED


def test_a_word_that_the_adapter_does_not_know_decides_nothing():
    for phase in JUDGED:
        assert judge(an_order(phase), book(report(BrokerStatus.UNRECOGNISED, 50))) == NOTHING


def test_a_dead_order_keeps_its_reason_and_its_class():
    dead = report(BrokerStatus.REJECTED, code="RMS7", reason="Insufficient funds")
    after = apply(an_order(Phase.WORKING), book(dead))
    assert (after.reason_code, after.reason_message, after.exchange_error_snippet) == (
        "INSUFFICIENT_FUNDS",
        "Insufficient funds",
        "Insufficient funds",
    )


@pytest.mark.parametrize(
    ("phase", "kept"),
    [
        (Phase.WORKING, "sent as"),
        (Phase.PARTIALLY_FILLED, "sent as"),
        (Phase.UNKNOWN, None),
        (Phase.CANCELLED, None),
    ],
)
def test_how_a_live_order_was_sent_stays_said(phase, kept):
    order = an_order(phase, reason_message="sent as")
    for seen in (report(BrokerStatus.OPEN, 20), report(BrokerStatus.COMPLETE, 50)):
        assert apply(order, book(seen)).reason_message == kept


def test_the_end_of_a_live_order_says_why_it_ended():
    order = an_order(Phase.WORKING, reason_message="sent as")
    assert apply(order, book(report(BrokerStatus.REJECTED, reason="RMS: no"))).reason_message == "RMS: no"


def test_an_overfill_is_an_alarm():
    verdict = judge(an_order(Phase.WORKING), book(report(BrokerStatus.COMPLETE, 60)))
    assert [alarm.text for alarm in verdict.alarms] == ["overfill: 60 of 50"]
    assert judge(an_order(Phase.WORKING), book(report(BrokerStatus.COMPLETE, 50))).alarms == ()


# which report is ours ---------------------------------------------------------------------------------------


def test_a_known_broker_id_decides_which_report_is_ours():
    tagged, ours = report(BrokerStatus.OPEN, broker_order_id="B9"), report(BrokerStatus.COMPLETE, 50)
    assert find_report(an_order(Phase.WORKING), book(tagged, ours)) == (ours, ())
    assert find_report(an_order(Phase.WORKING), book(tagged)) == (None, ())


def test_an_order_that_another_account_placed_is_not_ours():
    strange = report(BrokerStatus.OPEN, client_order_id="somebody-elses")
    untagged = report(BrokerStatus.OPEN, broker_order_id="B2", client_order_id=None)
    assert find_report(an_order(Phase.UNKNOWN), book(strange, untagged)) == (None, ())


@pytest.mark.parametrize("order_of_rows", list(itertools.permutations(range(3))))
def test_of_several_orders_with_our_tag_the_living_one_is_taken_and_people_are_told(order_of_rows):
    rows = [
        report(BrokerStatus.REJECTED, broker_order_id="B1"),
        report(BrokerStatus.OPEN, broker_order_id="B2"),
        report(BrokerStatus.CANCELLED, broker_order_id="B3"),
    ]
    found, alarms = find_report(an_order(Phase.UNKNOWN), book(*(rows[i] for i in order_of_rows)))
    assert found is rows[1]
    (alarm,) = alarms
    assert "3 broker orders carry the tag owabcdefghijklmnopqr" in alarm.text
    assert all(name in alarm.text for name in ("B1", "B2", "B3"))


def test_a_row_that_is_repeated_is_one_order_and_its_last_word_counts():
    first, last = report(BrokerStatus.OPEN), report(BrokerStatus.COMPLETE, 50)
    assert find_report(an_order(Phase.UNKNOWN), book(first, last)) == (last, ())


# absence ----------------------------------------------------------------------------------------------------

PROVEN_AT = SENT + ENDS + timedelta(seconds=HORIZON)


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("late", [-TICK, timedelta(0), TICK, timedelta(days=1)])
def test_absence_is_proven_by_nothing_less_than_a_complete_and_late_enough_book(phase, complete, late):
    order = an_order(phase)
    seen = book(report(BrokerStatus.OPEN, client_order_id="x", broker_order_id="X"), at=PROVEN_AT + late)
    verdict = judge(order, Book(seen.read_started_at, seen.reports, complete))
    if phase is Phase.UNKNOWN and complete and late >= timedelta(0):
        assert verdict.phase is Phase.ABSENT
        assert verdict.changes["tag"] == "BROKER_ABSENT:PROVEN"
    elif phase in (Phase.WORKING, Phase.PARTIALLY_FILLED) and complete:
        assert verdict.phase is Phase.UNKNOWN, "the broker had it: it is missing, not absent"
    else:
        assert verdict == NOTHING


@pytest.mark.parametrize(
    ("before", "detail", "added"),
    [
        ("outcome unknown: HTTP 502", "HTTP 502", " (outcome unknown: HTTP 502)"),
        (
            "it may be broker order 7",
            "it may be broker order 7",
            " (outcome unknown: it may be broker order 7)",
        ),
        ("outcome unknown: HTTP 502", None, " (outcome unknown: HTTP 502)"),  # of an earlier version
        ("outcome unknown: ", "", ""),
        (None, None, ""),
    ],
)
def test_why_the_outcome_had_been_unknown_is_kept_when_it_is_absent(before, detail, added):
    order = an_order(Phase.UNKNOWN, reason_message=before, reason_detail=detail)
    verdict = judge(order, book(at=PROVEN_AT))
    assert verdict.changes["reason_message"] == Reason.PROVEN.sentence + added
    assert Reason.PROVEN.with_detail(verdict.changes["reason_detail"]) == Reason.PROVEN.sentence + added


def test_what_the_broker_says_of_an_end_is_its_detail_even_where_it_was_the_detail_before():
    """A change that names the columns that differ must not leave the detail out of a message that does."""
    seen = book(report(BrokerStatus.CANCELLED, reason="HTTP 502"))
    order = an_order(Phase.UNKNOWN, reason_message="outcome unknown: HTTP 502", reason_detail="HTTP 502")
    verdict = judge(order, seen)
    assert (
        advance(order, verdict.phase, at=SENT, actor="w", **verdict.changes).after.reason_detail == "HTTP 502"
    )


@QUICK
@given(st.timedeltas(timedelta(0), timedelta(days=9)), st.sampled_from(Phase), st.booleans())
def test_a_book_of_open_orders_only_never_proves_absence(after, phase, resent):
    order = an_order(phase, sent_at=SENT + timedelta(minutes=1) if resent else SENT)
    assert judge(order, book(at=SENT + after, complete=False)) == NOTHING
    assert not shows_all_since(order, book(at=SENT + after, complete=False), TRAITS, sending_ends=ENDS)


def test_the_last_send_counts_not_the_first():
    resent = an_order(Phase.UNKNOWN, sent_at=SENT + timedelta(seconds=10))
    assert judge(resent, book(at=PROVEN_AT + timedelta(seconds=9))) == NOTHING
    assert judge(resent, book(at=PROVEN_AT + timedelta(seconds=10))).phase is Phase.ABSENT


def test_an_order_that_was_never_sent_cannot_be_proven_absent():
    never = an_order(Phase.UNKNOWN, sent_at=None)
    assert not shows_all_since(never, book(at=LATER), TRAITS, sending_ends=ENDS)


# old words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [BrokerStatus.OPEN, BrokerStatus.COMPLETE])
@pytest.mark.parametrize(("late", "rises"), [(timedelta(0), False), (TICK, True)])
def test_a_dead_order_rises_only_by_a_book_that_cannot_be_older_than_its_end(status, late, rises):
    ended = an_order(Phase.CANCELLED, updated_at=SENT)
    seen = book(report(status), at=SENT + timedelta(seconds=HORIZON) + late)
    assert (apply(ended, seen).status is Status.SENT_TO_BROKER) is rises


def test_more_filled_than_we_knew_is_news_however_old_the_book():
    ended = an_order(Phase.CANCELLED, updated_at=LATER)
    after = apply(ended, book(report(BrokerStatus.COMPLETE, 50), at=SENT))
    assert (after.status, after.filled_quantity, after.tag) == ("EXECUTED", 50, None)


def test_a_late_fill_of_a_cancelled_order_is_kept_with_it():
    after = apply(an_order(Phase.CANCELLED), book(report(BrokerStatus.CANCELLED, 20)))
    assert (after.phase, after.filled_quantity, after.average_price) == (Phase.CANCELLED, 20, 112)


@pytest.mark.parametrize("status", BrokerStatus)
def test_what_is_executed_stays_so_whatever_an_old_book_says(status):
    order = an_order(Phase.FILLED)
    assert order.updated_at is not None
    old = order.updated_at + timedelta(seconds=HORIZON)
    for filled in (0, 20, 50):
        assert judge(order, book(report(status, filled), at=old)) == NOTHING
    assert judge(order, book(report(status, 50), at=LATER)) == NOTHING


@pytest.mark.parametrize("status", BrokerStatus)
def test_only_an_end_with_less_than_was_filled_takes_a_fill_back_and_that_is_written_once(status):
    order = an_order(Phase.FILLED)
    for filled in (0, 20):
        said = judge(order, book(report(status, filled), at=LATER))
        assert bool(said.alarms) is (status in DEAD)
        after = apply(order, book(report(status, filled), at=LATER))
        assert (after.phase, after.filled_quantity) == (Phase.FILLED, order.filled_quantity)
        later = judge(after, book(report(status, filled), at=LATER + timedelta(seconds=60)))
        assert later == Verdict(alarms=said.alarms), "the same key, and nothing to write"


# whole lives at the broker ----------------------------------------------------------------------------------

ENDINGS = st.sampled_from([*DEAD, BrokerStatus.COMPLETE, None])


@st.composite
def lives(draw):
    """What a broker's book says of one order from first to last: fills grow, and an end is the end."""
    fills = sorted(draw(st.lists(st.integers(0, 49), max_size=5)))
    steps = [report(draw(st.sampled_from(LIVE)), filled) for filled in [0, *fills]]
    ending = draw(ENDINGS)
    if ending is not None:
        steps.append(report(ending, 50 if ending is BrokerStatus.COMPLETE else steps[-1].filled_quantity))
    return steps


def reads_of(life, data, *, also=()):
    """Books of moments of this life as they may come in: any of them, any number of times, in any order."""
    moments = data.draw(st.lists(st.sampled_from([*life, *also]), max_size=8))
    for number, seen in enumerate(moments):
        noise = data.draw(
            st.permutations([seen, report(BrokerStatus.OPEN, broker_order_id="X", client_order_id="x")])
        )
        yield book(*noise, at=SENT + timedelta(seconds=number))


@QUICK
@given(lives(), st.sampled_from([Phase.UNKNOWN, Phase.WORKING]), st.data())
def test_whatever_comes_in_between_the_newest_book_has_the_last_word(life, start, data):
    order = an_order(start)
    for seen in reads_of(life, data):
        before, order = order, apply(order, seen)
        assert order.filled_quantity >= before.filled_quantity, "a fill was forgotten"
        assert judge(order, seen) == NOTHING, "the same book moved it twice"
    newest = book(life[-1], at=LATER)
    order = apply(order, newest)
    assert judge(order, newest) == NOTHING
    assert order.phase is apply(an_order(start), newest).phase
    assert order.filled_quantity == life[-1].filled_quantity
    if life[-1].status in LIVE:
        assert order.phase in MAY_BE_LIVE, "FAILED or EXECUTED while the broker has it live"
    if order.status is Status.EXECUTED:
        assert order.broker_order_id == "B1"


@QUICK
@given(lives(), st.sampled_from([*DEAD, *LIVE]), st.data())
def test_a_book_that_contradicts_itself_still_ends_with_its_newest_word(life, lie, data):
    """Replicas that lag, orders called dead that go on: nothing shrinks, nothing that lives is left FAILED."""
    order = an_order(Phase.UNKNOWN)
    for seen in reads_of(life, data, also=[report(lie, 10)]):
        before, order = order, apply(order, seen)
        assert order.filled_quantity >= before.filled_quantity
    order = apply(order, book(life[-1], at=LATER))
    if life[-1].status in LIVE:
        assert order.phase in MAY_BE_LIVE
    if life[-1].status is BrokerStatus.COMPLETE:
        assert order.status is Status.EXECUTED


@QUICK
@given(lives(), st.data())
def test_books_without_an_order_that_was_known_never_call_it_absent(life, data):
    order = apply(an_order(Phase.UNKNOWN), book(life[0], at=SENT))
    for seen in reads_of(life, data):
        order = apply(order, seen)
        assert judge(order, book(at=LATER, complete=False)) == NOTHING
        missing = judge(order, book(at=LATER, complete=True))
        assert missing.phase is (Phase.UNKNOWN if order.status is Status.SENT_TO_BROKER else None)


@QUICK
@given(
    st.sampled_from(JUDGED),
    st.lists(
        st.tuples(st.sampled_from(BrokerStatus), st.integers(0, 60), st.integers(0, 90), st.booleans()),
        max_size=12,
    ),
)
def test_what_has_ended_moves_only_by_more_fills_or_by_a_book_that_cannot_be_older_than_its_end(start, said):
    """Reports of any kind, in any order, from replicas of any age, repeated or missing."""
    order = an_order(start)
    for status, filled, second, is_there in said:
        seen = book(*[report(status, filled)] * is_there, at=SENT + timedelta(seconds=second))
        before, order = order, apply(order, seen)
        assert order.filled_quantity >= before.filled_quantity
        if before.status not in (Status.EXECUTED, Status.FAILED) or order is before:
            continue
        more = order.filled_quantity > before.filled_quantity
        if before.status is Status.EXECUTED:
            assert order.phase is Phase.FILLED
            assert more or (status in DEAD and order.reason_message != before.reason_message)
        elif order.status is Status.FAILED:
            assert more, "from one end to another without any news"
        else:
            assert before.updated_at is not None
            later = seen.read_started_at > before.updated_at + timedelta(seconds=HORIZON)
            assert is_there and (more or later)


@pytest.mark.parametrize("step", [0, 5, 400])
@pytest.mark.parametrize("passed", [0, 10, 19.9, 20, 30])
def test_after_the_clock_was_set_forward_an_absence_waits_for_time_that_has_passed(step, passed):
    """The send can be on its way for 17 s, and shows within 3; its time counts from the step."""
    order, stepped = an_order(Phase.UNKNOWN), SENT + timedelta(seconds=step)
    seen = replace(book(at=stepped + timedelta(seconds=passed)), steady_since=stepped)
    assert (judge(order, seen).phase is Phase.ABSENT) == (passed >= 20)


def test_one_that_is_gone_from_the_book_is_not_missed_before_time_has_passed_since_the_clock_was_set():
    order = an_order(Phase.WORKING)
    stepped = (order.updated_at or SENT) + timedelta(seconds=400)
    early = replace(book(at=stepped + timedelta(seconds=2)), steady_since=stepped)
    late = replace(book(at=stepped + timedelta(seconds=4)), steady_since=stepped)
    assert judge(order, early) == NOTHING
    assert judge(order, late).phase is Phase.UNKNOWN
