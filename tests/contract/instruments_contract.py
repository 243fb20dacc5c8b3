"""What every store of instruments promises; a subclass says how one is made."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from domain.instruments.instrument import Instrument, Kind, MasterFacts, UnreadableListing, key_of
from domain.ports.instruments import InstrumentStore, Master
from tests.listed import NOW, TODAY, listed, living

FUTURE = Instrument(
    "NFO", "NIFTY29DEC26F", "1", Kind.FUTURE, "NIFTY", date(2026, 12, 29), None, Decimal(65), Decimal("0.05"),
    Decimal(1800), Decimal(1),
)  # fmt: skip
FACTS = MasterFacts("paper", TODAY, NOW)


class Broken(Exception):
    """What a list or a check raises."""


def accepted(loaded: MasterFacts) -> None:
    """Takes anything."""


class InstrumentsContract:
    """The contract."""

    def make(self, folder: Path) -> InstrumentStore:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> InstrumentStore:
        return self.make(tmp_path)

    def current(self, store: InstrumentStore, broker: str = "paper") -> Master:
        master = store.current(broker)
        assert master is not None
        return master

    def test_before_anything_is_loaded_there_is_nothing(self, store):
        assert store.current("paper") is None
        assert store.masters() == []
        store.forget("paper", keep=1)

    def test_what_is_loaded_is_found_as_it_was(self, store):
        loaded = store.load(FACTS, listed(), accepted)
        master = self.current(store)
        assert master.facts == loaded == store.masters()[0]
        for row in living():
            assert row in master.named(row.symbol.upper())
            assert row in master.keyed([row.key])
            assert row in master.numbered(row.token)
            assert all(each.token == row.token for each in master.numbered(row.token))
        assert master.numbered("none") == master.named("NOBODY") == master.keyed(["NOBODY|EQ||"]) == []

    def test_several_keys_are_found_at_once(self, store):
        store.load(FACTS, listed(), accepted)
        keys = [key_of("NIFTY", Kind.FUTURE, date(2026, 12, 29)), "NO|FUT||", key_of("INFY", Kind.EQUITY)]
        found = self.current(store).keyed(keys)
        assert {each.symbol for each in found} == {"NIFTY29DEC26F", "INFY-EQ", "INFY-BL", "INFY"}

    def test_rows_are_counted_by_exchange_and_unreadable_ones_with_examples(self, store):
        bad = [UnreadableListing(f"line {number}", "no number") for number in range(9)]
        share = Instrument("NSE", "INFY-EQ", "2", Kind.EQUITY, "INFY", series="EQ")
        loaded = store.load(FACTS, [FUTURE, *bad, share], accepted)
        assert (dict(loaded.counts), loaded.unreadable, loaded.rows) == ({"NFO": 1, "NSE": 1}, 9, 2)
        assert loaded.examples == tuple(f"line {number}: no number" for number in range(5))

    def test_what_expired_before_its_day_is_left_out_but_its_expiry_is_known(self, store):
        gone = replace(FUTURE, symbol="GONE", expiry=date(2026, 11, 29))
        last = replace(FUTURE, symbol="LAST", expiry=TODAY)
        store.load(FACTS, [FUTURE, gone, last], accepted)
        master = self.current(store)
        assert [master.named(name) for name in ("GONE", "LAST")] == [[], [last]]
        days = [day for day, _ in master.expiries["NIFTY", False]]
        assert days == [date(2026, 11, 29), TODAY, date(2026, 12, 29)]
        assert master.roots == {"NIFTY"}

    def test_expiries_of_options_and_of_futures_are_apart_and_by_exchange(self, store):
        call = replace(FUTURE, kind=Kind.CALL, strike=Decimal(5), symbol="C", expiry=date(2026, 12, 8))
        other = replace(FUTURE, exchange="BFO")
        store.load(FACTS, [FUTURE, call, other], accepted)
        assert {key: list(days) for key, days in self.current(store).expiries.items()} == {
            ("NIFTY", False): [(date(2026, 12, 29), "BFO"), (date(2026, 12, 29), "NFO")],
            ("NIFTY", True): [(date(2026, 12, 8), "NFO")],
        }

    def test_rows_that_share_a_symbol_are_all_found(self, store):
        weeks = [
            replace(FUTURE, symbol="NIFTY-Dec2026-FUT", token=f"{day}", expiry=date(2026, 12, day))
            for day in (8, 15)
        ]
        store.load(FACTS, weeks, accepted)
        assert self.current(store).named("NIFTY-DEC2026-FUT") == weeks

    def test_the_beginning_of_a_key_is_enough_for_a_few(self, store):
        store.load(FACTS, listed(), accepted)
        found = self.current(store).beginning("NIFTY|CE|2026-12-08|", 3)
        assert [each.key for each in found] == sorted(each.key for each in found)
        assert [each.symbol for each in found] == [
            "NIFTY08DEC26C23500",
            "NIFTY08DEC26C23600",
            "NIFTY08DEC26C23700",
        ]

    def test_the_newest_day_counts_and_the_same_day_again_replaces(self, store):
        for day, symbol in ((TODAY, "ONE"), (date(2026, 11, 27), "OLD"), (TODAY, "TWO")):
            store.load(replace(FACTS, day=day), [replace(FUTURE, symbol=symbol)], accepted)
        assert [self.current(store).named(name) != [] for name in ("ONE", "OLD", "TWO")] == [
            False,
            False,
            True,
        ]
        assert [each.day for each in store.masters()] == [TODAY, date(2026, 11, 27)]

    def test_a_master_in_use_does_not_change(self, store):
        store.load(FACTS, [FUTURE], accepted)
        before = self.current(store)
        store.load(FACTS, [replace(FUTURE, lot=Decimal(75))], accepted)
        assert before.named("NIFTY29DEC26F") == [FUTURE]
        assert [each.lot for each in self.current(store).named("NIFTY29DEC26F")] == [75]

    @pytest.mark.parametrize("where", ["rows", "check"])
    def test_what_fails_leaves_everything_as_it_was(self, store, where):
        store.load(FACTS, [FUTURE], accepted)

        def rows() -> Iterator[Instrument]:
            yield replace(FUTURE, symbol="NEW")
            if where == "rows":
                raise Broken

        def check(loaded: MasterFacts) -> None:
            assert self.current(store).named("NEW") == []
            raise Broken

        with pytest.raises(Broken):
            store.load(replace(FACTS, day=date(2026, 12, 1)), rows(), check)
        assert [each.day for each in store.masters()] == [TODAY]
        assert self.current(store).named("NIFTY29DEC26F") == [FUTURE]

    def test_old_ones_are_forgotten_of_that_broker_alone(self, store):
        days = [date(2026, 11, day) for day in (26, 27, 30)]
        for broker in ("paper", "other"):
            for day in days:
                store.load(replace(FACTS, broker=broker, day=day), [FUTURE], accepted)
        store.forget("paper", keep=2)
        assert [(each.broker, each.day.day) for each in store.masters()] == [
            ("other", 30), ("other", 27), ("other", 26), ("paper", 30), ("paper", 27),
        ]  # fmt: skip
        assert self.current(store).facts.day == TODAY
