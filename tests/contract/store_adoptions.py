"""The contract of stores about adopting units that no strategy holds."""

from decimal import Decimal

from domain.adoption import Adoption, AdoptionFacts, KnownDifference
from domain.broker_reports import Position, PositionsSnapshot
from domain.enums import Side
from domain.risk_facts import Holding
from tests.contract.store_making import (
    CLIENT,
    EXCHANGE,
    PLACE,
    PRODUCT,
    STRATEGY,
    SYMBOL,
    House,
    StoreCase,
)
from tests.contract.store_positions import DAY, a_report, difference


class AdoptionsContract(StoreCase):
    """What an operator gives of the account's units to a strategy. Which units, `domain/adoption_rules.py` decides."""

    def known(self, house: House) -> AdoptionFacts:
        return house.store.write(lambda tx: tx.adoption_facts(CLIENT, SYMBOL, house.clock.now()))

    def adopt(self, house: House, left: int, *, explained: int = 0) -> Adoption:
        """Give the strategy 5 units; `left`: what is left of the difference there."""
        at = house.clock.now()
        holding = Holding(CLIENT, STRATEGY, EXCHANGE, SYMBOL, PRODUCT, Decimal(5), 1)
        difference_ = KnownDifference(PLACE, Decimal(left), Decimal(left), is_external=False)
        adoption = Adoption(
            CLIENT, EXCHANGE, SYMBOL, PRODUCT, STRATEGY, Decimal(5), None, at, "ann", "bought by hand", at,
            Decimal(8), holding, difference_, Decimal(explained),
        )  # fmt: skip
        house.store.write(lambda tx: tx.keep_adoption(adoption))
        return adoption

    def test_of_an_account_that_was_never_read_nothing_is_known(self, house):
        assert self.known(house) == AdoptionFacts()
        house.store.save_read_error(CLIENT, house.clock.now(), "timeout")
        assert self.known(house) == AdoptionFacts(read_error="timeout")

    def test_all_that_is_known_of_the_symbol_is_there_in_any_case_of_its_letters(self, house):
        at = house.clock.now()
        here, other = (
            Position(EXCHANGE, SYMBOL.lower(), PRODUCT, Decimal(8)),
            Position(EXCHANGE, "X", PRODUCT, Decimal(1)),
        )
        house.store.save_positions(CLIENT, PositionsSnapshot(at, (here, other)), DAY)
        order = house.register()
        house.store.write(lambda tx: tx.note_external(CLIENT, a_report("X1", 8, symbol=SYMBOL.lower()), at))
        house.store.write(lambda tx: tx.keep_difference(CLIENT, difference(0, 3, external=True), at, at))
        found = self.known(house)
        assert found.snapshot == PositionsSnapshot(at, (here,))
        assert (found.orders, found.by_hand) == ((order,), {EXCHANGE: 8})
        assert found.differences == (KnownDifference(PLACE, Decimal(3), Decimal(3), is_external=True),)

    def test_what_was_adopted_is_held_and_off_the_difference(self, house):
        at = house.clock.now()
        house.store.write(lambda tx: tx.keep_difference(CLIENT, difference(0, 8, external=True), at, at))
        self.adopt(house, 3)
        assert house.held() == {STRATEGY: (Decimal(5), 1)}
        [left] = house.store.told_differences(CLIENT)
        assert (left.held, left.at_broker, left.amount, left.is_external) == (5, 8, 3, False)
        assert house.store.write(lambda tx: tx.believed(CLIENT, EXCHANGE, SYMBOL)) == 3
        self.adopt(house, 0)
        assert house.store.told_differences(CLIENT) == []

    def test_units_that_were_explained_are_taken_off_the_oldest_orders(self, house):
        for number in ("X1", "X2"):
            house.store.write(
                lambda tx, n=number: tx.note_external(CLIENT, a_report(n, 4), house.clock.now())
            )
        house.store.write(
            lambda tx: tx.note_external(CLIENT, a_report("X3", 9, Side.SELL), house.clock.now())
        )
        self.adopt(house, 0, explained=5)
        assert house.store.write(lambda tx: tx.by_hand(CLIENT, EXCHANGE, SYMBOL)) == 3 - 9
