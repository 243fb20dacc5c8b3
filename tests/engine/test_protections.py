"""Protections watched by the engine on a real database: levels, fills, restarts, and exits that are asked for once."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.broker_reports import Position, PositionsSnapshot
from domain.enums import OrderType, Side
from domain.further_terms import further_of
from domain.instruments.choice import InstrumentChoice
from domain.instruments.instrument import Instrument, Kind
from domain.notices import NoticeKind
from domain.protection import Covered, Protection, ProtectionStatus
from domain.protection_messages import notices_of
from domain.protection_step import step
from domain.protection_terms import Terms, TrailingType
from domain.states import Phase, Status
from engine.client_context import ClientContext
from engine.protection_watcher import ProtectionWatcher
from tests.engine.watching import EXCHANGE, STOP, SYMBOL, Market, Watched
from tests.support import EXIT, MARKET_EXIT, Desk, leg


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_a_stop_asks_for_one_exit_at_market_of_what_is_held(watched):
    watched.at(110, 100.05)
    assert (watched.exits, watched.protection.status) == ([], ProtectionStatus.ACTIVE)
    watched.at(100, 99, 98)
    [exit_] = watched.exits
    assert (exit_.side, exit_.order_type, exit_.requested_product) == (Side.SELL, OrderType.MARKET, None)
    assert exit_.is_full_exit and exit_.requested_side is Side.SELL
    assert watched.protection.exit_command_id == exit_.command_id
    watched.settle()
    [exit_] = watched.exits
    assert (exit_.status, exit_.filled_quantity) == (Status.EXECUTED, 50)
    assert watched.desk.store.holdings("default") == []
    assert watched.told() == [NoticeKind.STOP_FIRED]


def test_a_target_that_is_met_is_told_with_its_price_and_what_is_done(watched):
    watched.at(130.5)
    [notice] = [n for n in watched.desk.notices if n.kind is NoticeKind.TARGET_FIRED]
    assert "last price 130.5 met the target at 130; 50 units exit at market" in notice.detail
    assert notice.order == watched.exits[0]


def test_two_watchers_ask_for_the_same_exit(watched):
    watched.at(110)
    stale = watched.protection
    watched.at(99)
    watched.at(98, watcher=1)
    [exit_] = watched.exits
    assert watched.protection.generation == stale.generation
    assert exit_.client_order_id


def test_a_crash_before_the_commit_leaves_no_exit_and_the_next_watcher_asks_for_it(watched, monkeypatch):
    watched.at(110)
    before = watched.protection

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("persistence.sqlite.protections._record", dies)
        with pytest.raises(SystemExit):
            watched.at(99)
    assert (watched.exits, watched.protection) == ([], before)
    watched.at(99, watcher=1)
    assert len(watched.exits) == 1


def test_a_watcher_that_begins_anew_goes_on_at_the_last_level(tmp_path):
    trail = Terms(trailing_type=TrailingType.POINTS, trailing_value=Decimal(5))
    watched = Watched(tmp_path, trail)
    watched.at(120, 125, 123)
    assert watched.protection.stop_price == 120
    watched.watchers[0] = watched.watcher("after the restart")
    watched.at(121)
    assert (watched.protection.stop_price, watched.exits) == (120, [])
    watched.at(119)
    assert len(watched.exits) == 1
    assert watched.told() == [NoticeKind.TRAIL_ARMED, NoticeKind.STOP_FIRED]


def test_an_exit_of_another_kind_ends_the_protection(watched):
    watched.at(110)
    watched.desk.post(MARKET_EXIT, **EXIT)
    watched.settle()
    watched.at(90)
    assert (watched.protection.status, watched.protection.reason) == (ProtectionStatus.ENDED, "NOTHING_HELD")
    assert len(watched.exits) == 1


def test_what_another_entry_has_brought_after_an_exit_of_everything_is_not_sold(watched):
    """Exit and new entry came between two rounds: the old protection still saw 50 held, and sold the new 50."""
    watched.at(110)
    for legs, changes in (((MARKET_EXIT,), EXIT), ((leg(),), {"signal_id": "again"})):
        watched.desk.post(*legs, **changes)
        for _ in range(3):  # all but the rounds of the protections
            watched.desk.clock.advance(0.3)
            watched.desk.engine.execute_next("default")
            watched.desk.engine.reconcile("default")
            watched.desk.engine.refresh("default", force=True)
    assert (len(watched.exits), watched.protection.status) == (1, ProtectionStatus.ACTIVE)
    watched.at(99, 98, 97)
    watched.settle()
    assert len(watched.exits) == 1
    assert sum(h.net_quantity for h in watched.desk.store.holdings("default")) == 50
    assert watched.protection.status is ProtectionStatus.ENDED


def test_partial_fills_are_covered_as_they_come_and_the_rest_is_taken_back(tmp_path):
    watched = Watched(tmp_path, fill_at_once=False)
    desk = watched.desk
    watched.at(90)
    assert watched.protection.status is ProtectionStatus.WAITING
    [number] = desk.broker.orders
    desk.broker.report(number, desk.broker.orders[number].status, 20)
    desk.settle()
    watched.at(110)
    assert watched.protection.quantity == 20
    desk.broker.fill_at_once = True
    watched.at(90)
    desk.settle(6)
    assert desk.broker.cancelled == [number]
    assert desk.order(watched.entry.command_id).filled_quantity == 20
    assert [exit_.filled_quantity for exit_ in watched.exits] == [20]


def test_units_beside_those_that_it_covers_stay(watched):
    watched.desk.hold(80)  # 30 units more, which no protection covers
    watched.at(110, 99)
    [exit_] = watched.exits
    assert exit_.requested_quantity == 50


def test_after_a_reversal_the_old_side_closes_nothing(watched):
    watched.at(110)
    watched.desk.hold(-50)  # sold since, by an exit and an entry of the other side
    watched.at(90)
    assert (watched.exits, watched.protection.reason) == ([], "NOTHING_HELD")


def test_units_of_the_strategy_in_another_product_stay(watched):
    [other] = watched.desk.post(leg(product="NRML", side=Side.BUY), strategy_name="OTHER")
    watched.settle()
    store = watched.desk.store
    store._commits.run(lambda c: c.execute("UPDATE holdings SET strategy_name = 'STRADDLE'"))
    assert other.product == "NRML"
    watched.at(110, 90)
    [exit_] = watched.exits
    assert (exit_.requested_quantity, exit_.requested_product) == (50, "MIS")


def test_a_fill_whose_price_is_not_known_is_told_as_unknown(watched):
    watched.at(110)
    entry = replace(watched.desk.order(watched.entry.command_id), average_price=None)
    waiting = replace(watched.protection, status=ProtectionStatus.WAITING, average_price=None)
    covered = Covered(entry.filled_quantity, entry.average_price, True, Decimal(50), is_all=True)
    now = watched.desk.clock.now()
    first = step(waiting, covered, None, now).after
    later = step(first, covered, None, now + timedelta(seconds=16))
    assert (first.is_unknown, later.after.is_unknown, later.after.quantity) == (False, True, 50)
    [(_, notice)] = notices_of(later, entry, None)
    assert (
        "50 units of STRADDLE are not watched: the price at which the entry was filled is not known"
        in notice.detail
    )
    known = step(later.after, replace(covered, average=Decimal(112)), None, now + timedelta(seconds=17)).after
    assert known.status is ProtectionStatus.ACTIVE


def test_a_price_that_fails_is_told_once_after_a_while_and_moves_nothing(watched):
    watched.at(110)
    levels = watched.protection.stop_price
    watched.at(*[None] * 14)
    assert watched.told() == []
    watched.at(*[None] * 10)
    watched.at(0, "NaN")
    assert (watched.told(), watched.exits) == ([NoticeKind.PROTECTION_UNKNOWN], [])
    assert watched.protection.stop_price == levels
    watched.at(110)
    watched.at(*[None] * 20)
    assert watched.told() == [NoticeKind.PROTECTION_UNKNOWN] * 2


def test_without_a_reader_the_price_of_the_positions_counts_while_it_is_young(watched):
    watched.market.last_marks = lambda places: []
    store, desk = watched.desk.store, watched.desk
    snapshot = desk.broker.read_positions()
    seen = replace(snapshot, positions=tuple(replace(p, last_price=Decimal(99)) for p in snapshot.positions))
    store.save_positions("default", seen, desk.clock.at.date())
    desk.clock.advance(20)
    watched.watchers[0].watch(watched.context)
    assert watched.exits == []  # too old by now
    seen = replace(seen, read_started_at=desk.clock.now())
    store.save_positions("default", seen, desk.clock.at.date())
    watched.watchers[0].watch(watched.context)
    assert len(watched.exits) == 1


@pytest.mark.parametrize("other", [(0, 99), (0, 0), (25, 0)])
@pytest.mark.parametrize("turn", [1, -1])
def test_of_rows_of_one_symbol_that_of_what_is_held_shows_the_price(watched, other, turn):
    desk = watched.desk
    watched.at(110)
    rows = [("MIS", 50, 110), ("NRML", *other)]
    watched.market.prices[SYMBOL] = Decimal(0)  # what the reader has is no price
    for _ in range(20):
        desk.clock.advance(1)
        seen = tuple(
            Position(EXCHANGE, SYMBOL, product, Decimal(net), last_price=Decimal(price))
            for product, net, price in rows[::turn]
        )
        desk.store.save_positions("default", PositionsSnapshot(desk.clock.now(), seen), desk.clock.at.date())
        watched.watchers[0].watch(watched.context)
    assert (watched.exits, watched.protection.is_unknown) == ([], False)


def test_a_stop_on_the_wrong_side_of_the_limit_is_refused_at_the_door(tmp_path):
    desk = Desk(tmp_path)
    wrong = [Terms(stop_loss="112.5"), Terms(stop_loss="120"), Terms(target="112"), Terms(stop_loss="200pt")]
    for number, terms in enumerate(wrong):
        [order] = desk.post(leg(f"SYM{number}", protection=terms))
        assert (order.status, order.tag) == (Status.FAILED, "VALIDATION_FAILED:STOP_WRONG_SIDE")
        assert desk.store.protection(f"p-{order.command_id}") is None
    [order] = desk.post(leg("SYM9", side=Side.SELL, protection=Terms(stop_loss="120", target="5%")))
    assert order.phase is Phase.REGISTERED


def test_a_protection_that_cannot_be_followed_is_told_and_holds_up_no_other_one(watched, monkeypatch):
    watched.desk.post(leg("OTHER", protection=STOP))
    watched.settle()
    watched.market.prices["OTHER"] = Decimal(110)
    watched.at(110)
    from use_cases import protect

    real = protect._ask

    def broken(tx, step, *rest, **named):
        if step.before.symbol == SYMBOL:
            raise ValueError("a defect")
        return real(tx, step, *rest, **named)

    monkeypatch.setattr(protect, "_ask", broken)
    watched.market.prices["OTHER"] = Decimal(90)
    watched.at(90, 90)
    assert [exit_.symbol for exit_ in watched.exits] == ["OTHER"]
    told = [n.detail for n in watched.desk.notices if "cannot be followed" in n.detail]
    assert len(told) == 1
    monkeypatch.undo()
    watched.at(90)
    assert {exit_.symbol for exit_ in watched.exits} == {"OTHER", SYMBOL}


def test_without_a_protection_no_price_is_read(tmp_path):
    desk = Desk(tmp_path)
    market = Market(desk)
    desk.post(leg())
    desk.settle()
    watcher = ProtectionWatcher(desk.store, clock=desk.clock, claimant="w1")
    assert (
        watcher.watch(ClientContext("default", desk.broker, desk.policies["default"], marks=market)) is None
    )
    assert market.reads == 0


def test_a_protection_that_cannot_be_stepped_is_told_once_and_keeps_no_other_from_firing(
    tmp_path, monkeypatch
):
    watched = Watched(tmp_path)
    [broken] = watched.desk.post(leg("BANKNIFTY", protection=STOP), strategy_name="OTHER")
    watched.settle()

    def steps(p: Protection, *rest: object) -> object:
        if p.command_id == broken.command_id:
            raise ValueError("a level that nobody can read")
        return step(p, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("engine.protection_watcher.step", steps)
    for price in (110, 99):
        with suppress(ValueError):  # as the watcher's loop does, which goes on
            watched.at(price)
    assert len(watched.exits) == 1
    told = [n for n in watched.desk.notices if "cannot be followed" in n.detail]
    assert [n.symbol for n in told] == ["BANKNIFTY"]


def test_an_adapter_that_fails_to_tell_prices_leaves_them_unknown_and_that_is_told(watched, monkeypatch):
    def fails(places: object) -> None:
        raise KeyError("lp")

    monkeypatch.setattr(watched.market, "last_marks", fails)
    watched.at(*[110] * 20)
    assert watched.told() == [NoticeKind.PROTECTION_UNKNOWN]


def test_while_it_is_not_certain_whose_account_it_is_the_price_is_unknown_and_that_is_told(watched):
    watched.market.prices[SYMBOL] = Decimal(99)
    for _ in range(20):
        watched.desk.clock.advance(1)
        assert watched.watchers[0].watch(watched.context, may_look=False) is not None
    assert watched.exits == []
    assert watched.told() == [NoticeKind.PROTECTION_UNKNOWN]


def test_a_price_that_stands_still_is_written_once(watched, monkeypatch):
    watched.at(110, 110)
    writes = []
    write = watched.desk.store.write
    monkeypatch.setattr(watched.desk.store, "write", lambda work: writes.append(work) or write(work))
    watched.at(*[110] * 5)
    assert writes == []


def test_several_targets_leave_one_after_the_other_and_the_stop_covers_the_rest(tmp_path):
    targets = (("5pt", Decimal(50)), ("10pt", Decimal(25)), ("20pt", Decimal(25)))
    watched = Watched(tmp_path, Terms(stop_loss="100", targets=targets))
    for price in (115, 117.5, 120, 122.5, 120, 100, 90):
        watched.at(price)
        watched.settle()
    assert [exit_.filled_quantity for exit_ in watched.exits] == [25, 12, 13]
    assert watched.desk.store.holdings("default") == []
    assert watched.told() == [NoticeKind.TARGET_FIRED, NoticeKind.TARGET_FIRED, NoticeKind.STOP_FIRED]
    assert not watched.protection.is_watched


def test_a_target_on_the_wrong_side_is_refused_among_several(tmp_path):
    desk = Desk(tmp_path)
    targets = (("110", Decimal(50)), ("130", Decimal(50)))
    [order] = desk.post(leg(protection=Terms(targets=targets)))
    assert order.tag == "VALIDATION_FAILED:STOP_WRONG_SIDE"
    assert "target[0] 110" in (order.reason_message or "")


@pytest.mark.parametrize(
    ("lot", "named", "shares"),
    [
        (50, None, [0, 50]),
        (25, None, [25, 25]),
        (50, 10, [20, 30]),
        (40, None, [25, 25]),
        (None, None, [25, 25]),
    ],
)
def test_shares_are_whole_lots_of_the_instrument_unless_the_alert_names_another(tmp_path, lot, named, shares):
    row = Instrument(EXCHANGE, SYMBOL, "1", Kind.CALL, "NIFTY", lot=None if lot is None else Decimal(lot))
    targets = (("5pt", Decimal(50)), ("10pt", Decimal(50)))
    terms = Terms(targets=targets, lot_size=None if named is None else Decimal(named))
    desk = Desk(tmp_path)
    choice = InstrumentChoice((EXCHANGE, SYMBOL), row)
    [entry] = desk.post(leg(protection=terms, instrument=choice))
    further = further_of(entry.protection_json)
    first = further.share_of(0, Decimal(50))
    assert [first, 50 - first] == shares
