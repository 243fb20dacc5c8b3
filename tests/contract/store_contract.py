"""What every store promises, role by role (`domain/ports/`). Each store's tests subclass `StoreContract`.

Not in it yet: moving a client to another id, and the read model of pages and commands.
"""

from tests.contract.store_adoptions import AdoptionsContract
from tests.contract.store_claims import ClaimsContract
from tests.contract.store_groups import GroupsContract
from tests.contract.store_orders import IntentsContract, OrderWritesContract
from tests.contract.store_positions import (
    DifferencesContract,
    ExternalOrdersContract,
    HoldingsContract,
    PositionsContract,
)
from tests.contract.store_protections import ProtectionsContract
from tests.contract.store_rest import (
    AccountsContract,
    FactsContract,
    LoopsContract,
    NoticesContract,
    StopsContract,
)
from tests.contract.store_risk import RiskContract
from tests.contract.store_sizing import SizingContract
from tests.contract.store_transaction import TransactionContract


class StoreContract(
    TransactionContract, OrderWritesContract, IntentsContract, ClaimsContract, HoldingsContract, PositionsContract,
    DifferencesContract, ExternalOrdersContract, AdoptionsContract, NoticesContract, StopsContract, LoopsContract,
    AccountsContract, FactsContract, ProtectionsContract, RiskContract, SizingContract, GroupsContract,
):  # fmt: skip
    """All roles of one store."""
