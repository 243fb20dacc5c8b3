"""The table `group_protection` of the strategies file: what protects the groups of a strategy's alerts as a whole."""

from config.checking import Problems
from config.protection import number
from domain.combined import CombinedTerms
from domain.combined_reading import DESCRIPTION, combined_terms, read_amounts, unit_fault


def combined(given: object, name: str, problems: Problems) -> CombinedTerms | None:
    """Read one table; an empty one is none. Whatever does not fit is recorded.

    Args:
        name: what the operator calls the table.
    """
    try:
        amounts = read_amounts(given, number)
    except ValueError:
        problems.add(name, f"expected a table with {DESCRIPTION}")
        return None
    if not amounts:
        return None
    terms = combined_terms(amounts)
    fault = unit_fault(amounts) or terms.fault
    if fault is not None:
        problems.add(f"{name} {fault[0]}", fault[1])
        return None
    return terms
