"""What is found out about an alert before it is registered: its contracts, its instruments and its sizes, by client."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.alert import LegRequest, ParsedAlert
from use_cases.expand_templates import ExpandTemplates
from use_cases.resolve_instruments import ResolveInstruments
from use_cases.size_entries import SizeEntries

_ONE = Decimal(1)


class PrepareAlert:
    """Prepares alerts. `instruments` None: no client has a master."""

    def __init__(
        self, instruments: ResolveInstruments | None, templates: ExpandTemplates, sizes: SizeEntries
    ) -> None:
        self._instruments = instruments
        self._templates = templates
        self._sizes = sizes

    def __call__(self, alert: ParsedAlert, at: datetime) -> ParsedAlert:
        """Return the alert as its clients trade it; an entry that is not certain carries the reason.

        Raises:
            StoreUnavailable: what a size is computed from cannot be read.
        """
        if not any(leg.size is not None or leg.template is not None for leg in alert.legs):
            return alert if self._instruments is None else self._instruments(alert, at)
        if not alert.shares:
            return replace(alert, legs=self._legs(alert, alert.client_id, _ONE, at))
        shares = tuple(
            share._replace(legs=self._legs(alert, share.client_id, share.multiplier, at))
            for share in alert.shares
        )
        return replace(alert, legs=shares[0].legs, shares=shares)

    def _legs(
        self, alert: ParsedAlert, client_id: str, multiplier: Decimal, at: datetime
    ) -> tuple[LegRequest, ...]:
        legs: Sequence[LegRequest] = self._templates(alert.legs, client_id, at)
        if self._instruments is not None:
            alone = replace(alert, client_id=client_id, shares=(), legs=tuple(legs))
            legs = self._instruments(alone, at).legs
        return self._sizes(legs, client_id, alert.strategy_name, at, multiplier)
