"""Metrics for Prometheus. They are read from the store on request, so no process adds up the figures of others."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
Figures = Mapping[str, Mapping[str, float]]
"""Metric name → label → figure."""
Timings = Mapping[str, Mapping[str, Sequence[float]]]
"""Metric name → label → seconds, one for each thing that ended lately."""

HELP = {
    "orderwatch_check_ok": "1 where a check of /readyz passes, 0 where it fails",
    "orderwatch_orders": "Orders by status; closed ones are counted once a minute",
    "orderwatch_orders_unknown": "Orders whose outcome is not known, by client",
    "orderwatch_orders_waiting": "Orders that wait to be sent and for nothing else, by client and kind",
    "orderwatch_orders_waiting_oldest_seconds": "Age of the oldest of them",
    "orderwatch_outbox_pending": "Messages that wait to be sent, by client",
    "orderwatch_outbox_oldest_seconds": "Age of the oldest message that waits, by client",
    "orderwatch_positions_age_seconds": "Seconds since a client's positions were read",
    "orderwatch_positions_compared_age_seconds": (
        "Seconds since a client's positions were compared with what its strategies hold; +Inf: never"
    ),
    "orderwatch_positions_unreadable": "Rows of a client's positions, as last read, that cannot be made out",
    "orderwatch_position_differences": "Positions that differ from what strategies hold, by client",
    "orderwatch_broker_read_failing": "1 while a client's broker cannot be read",
    "orderwatch_halts": "Halts in force, by client",
    "orderwatch_heartbeat_age_seconds": "Seconds since the newest beat of a loop",
    "orderwatch_recent_alerts": "Alerts of the last 5 minutes by outcome, the newest 3,000",
    "orderwatch_recent_orders": "Orders that came into a phase in the last 5 minutes, of the newest 3,000 events",
    "orderwatch_recent_order_calls": "Order calls to brokers that ended in the last 5 minutes, by what followed",
    "orderwatch_recent_failures": "Orders that failed in the last 5 minutes, by the first part of their tag",
    "orderwatch_recent_messages": "Messages sent, or given up, in the last 5 minutes",
    "orderwatch_clock_set_back_seconds": "How far times that were written down lie ahead of the clock",
    "orderwatch_last_alert_age_seconds": "Seconds since the last alert; +Inf: none ever came",
    "orderwatch_disk_free_bytes": "Room left on the disk of orders.db",
    "orderwatch_database_bytes": "Size of orders.db, and of its log",
    "orderwatch_order_seconds": "From an alert's arrival until its order was sent, or filled; of the last 5 minutes",
    "orderwatch_order_call_seconds": "From an order's sending to the broker's answer, by client; of the last 5 minutes",
    "orderwatch_telegram_delivery_seconds": "From a message's making to its delivery, by client; of the last 5 minutes",
}
"""All metrics, and what each means."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)
"""Upper bounds in seconds: from an order that goes at once to one that waits for a person."""


class _StoreCollector(Collector):
    def __init__(self, read: Callable[[], Figures], read_timings: Callable[[], Timings]) -> None:
        self._read = read
        self._read_timings = read_timings

    def collect(self) -> Iterable[Metric]:
        for name, by_label in self._read().items():
            family = GaugeMetricFamily(name, HELP.get(name, name), labels=["of"])
            for label, figure in by_label.items():
                family.add_metric([label], figure)
            yield family
        for name, seconds_by_label in self._read_timings().items():
            histogram = GaugeHistogramMetricFamily(name, HELP.get(name, name), labels=["of"])
            for label, seconds in seconds_by_label.items():
                histogram.add_metric([label], buckets_of(seconds), sum(seconds))
            yield histogram


def buckets_of(seconds: Sequence[float]) -> list[tuple[str, float]]:
    """Count time spans into buckets; each bucket contains those below it, the last, `+Inf`, all."""
    counts = [0] * (len(BUCKETS) + 1)
    for each in seconds:
        counts[bisect_left(BUCKETS, each)] += 1
    bounds = [*map(str, BUCKETS), "+Inf"]
    return [(bound, float(count)) for bound, count in zip(bounds, accumulate(counts), strict=True)]


def metrics_page(
    read: Callable[[], Figures], read_timings: Callable[[], Timings] = dict
) -> Callable[[], bytes]:
    """Create a function that returns the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_StoreCollector(read, read_timings))
    return lambda: generate_latest(registry)
