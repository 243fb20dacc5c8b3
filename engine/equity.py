"""Note the course of a client's profit and loss, for the chart of the day."""

import logging
from collections.abc import Iterable

from domain.errors import StoreUnavailable
from domain.money import parse_decimal
from domain.ports import Clock, EquityPoint, OperatorRecords
from engine.risk_reports import RiskReports

log = logging.getLogger(__name__)


def note_equity(reports: RiskReports, records: OperatorRecords, clients: Iterable[str], clock: Clock) -> None:
    """Store one point of each client: our own figure of the day, or the broker's where ours is not known."""
    for client_id in clients:
        try:
            said = reports.pnl(client_id)
            figure = said["own"] if said["own"] is not None else said["broker"]
            total = None if figure is None else parse_decimal(figure)
            records.note_equity(client_id, EquityPoint(clock.now(), total))
        except StoreUnavailable as error:
            log.error("the profit and loss of %s was not noted for its chart: %s", client_id, error)
