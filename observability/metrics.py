"""Metrics for Prometheus. They are read from the store on request, so no process adds up the figures of others."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
Figures = Mapping[str, Mapping[str, float]]
"""Metric name → label value → figure."""

_HELP = {
    "orderwatch_orders": "Orders by status",
    "orderwatch_orders_unknown": "Orders whose outcome is not known, by client",
    "orderwatch_outbox_pending": "Messages that wait to be sent, by client",
    "orderwatch_positions_age_seconds": "Seconds since a client's positions were read",
    "orderwatch_positions_unreadable": "Rows of a client's positions, as last read, that cannot be made out",
    "orderwatch_heartbeat_age_seconds": "Seconds since the newest beat of a loop",
}


class _StoreCollector(Collector):
    def __init__(self, read: Callable[[], Figures]) -> None:
        self._read = read

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for name, by_label in self._read().items():
            family = GaugeMetricFamily(name, _HELP.get(name, name), labels=["of"])
            for label, figure in by_label.items():
                family.add_metric([label], figure)
            yield family


def metrics_page(read: Callable[[], Figures]) -> Callable[[], bytes]:
    """Create a function that returns the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_StoreCollector(read))
    return lambda: generate_latest(registry)
