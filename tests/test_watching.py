"""What Prometheus reads, and what the rules and the dashboard of deploy/ ask of it: each name is in a real scrape."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from app.container import Services, build_services
from app.settings import load_settings
from domain.broker_reports import PositionsSnapshot
from domain.errors import StoreUnavailable
from domain.order import Order
from domain.order_events import advance
from domain.ports import Heartbeat, Transaction
from domain.states import Phase
from observability.metrics import BUCKETS, HELP, buckets_of
from persistence.sqlite.queries import metrics as queries
from tests.persistence.making import Maker, StepClock
from tests.plain_yaml import read_yaml
from trading_bot import make_app

TOKEN = "a-long-console-token"
DEPLOY = Path(__file__).parents[1] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "orderwatch.json"
SHORT = {"orders_claimable", "orders_open", "orders_at_broker", "telegram_messages_pending", "alerts_by_time"}
"""Indexes that may be read from one end to the other: they hold what is open; or are left after :most rows."""
FUNCTIONS = {
    "histogram_quantile",
    "hour",
    "minute",
    "day_of_week",
    "vector",
    "sum",
    "by",
    "and",
    "or",
    "on",
    "ignoring",
}


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A database in which everything happens now."""
    monkeypatch.chdir(tmp_path)
    return Maker(tmp_path / "orders.db", StepClock(datetime.now(UTC) - timedelta(seconds=30)))


@pytest.fixture
def services(maker: Maker) -> Services:
    environ = {"ORDERS_DB": str(maker.path), "WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": TOKEN}
    return build_services(load_settings(environ, dotenv_path=None))


def scrape(services: Services) -> list[Sample]:
    """What Prometheus gets."""
    answer = make_app(services).test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    return [each for family in text_string_to_metric_families(answer.text) for each in family.samples]


def figures(services: Services, name: str) -> dict[str, float]:
    return {each.labels["of"]: each.value for each in scrape(services) if each.name == name}


def everything(maker: Maker) -> None:
    """One of each thing that a metric counts."""
    now = datetime.now(UTC)
    for number, phase in enumerate(Phase):
        maker.order(f"a{number}", phase)
    called = maker.order("called", Phase.REGISTERED)
    for phase in (Phase.SUBMITTING, Phase.WORKING):
        at = maker.clock.now()
        sent: dict[str, object] = {"sent_at": at} if phase is Phase.SUBMITTING else {"broker_order_id": "B1"}
        called = maker.store.write(partial(_advanced, order=called, phase=phase, at=at, changes=sent))
    maker.store.save_heartbeats([Heartbeat("w1", "reconcile", "default", now, "OK")])
    maker.store.save_positions("default", PositionsSnapshot(now, ()), now.date())
    maker.sql(
        "INSERT INTO halts VALUES ('default', '', '2026-01-01T00:00:00.000000Z', 'ann', 'x')",
        "INSERT INTO position_differences (client_id, exchange, symbol, product, held, at_broker, difference, kind, "
        "since, told_at) VALUES ('default', 'NSE', 'INFY', 'MIS', '1', '2', '1', 'DIFFERENT', 'x', 'x')",
    )
    maker.sql("UPDATE telegram_messages SET status = 'SENT', sent_at = timestamp WHERE id = 1")


def _advanced(
    tx: Transaction, *, order: Order, phase: Phase, at: datetime, changes: dict[str, object]
) -> Order:
    return tx.apply(advance(order, phase, at=at, actor="test", **changes))


def expressions() -> Iterator[tuple[str, str]]:
    """Each rule's and each panel's name and expression."""
    for group in read_yaml(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def test_each_name_and_label_of_a_rule_or_a_panel_is_in_a_real_scrape(maker: Maker, services: Services):
    everything(maker)
    found: dict[str, set[str]] = {"up": {"job"}}
    for sample in scrape(services):
        found.setdefault(sample.name, set()).update(sample.labels)
    asked = list(expressions())
    assert len(asked) > 40
    for name, expression in asked:
        bare = re.sub(r'"[^"]*"', '""', expression)
        metrics = set(re.findall(r"\b(?:orderwatch_\w+|up)\b", bare))
        assert metrics or "hour" in bare, name
        assert metrics <= found.keys(), (name, metrics - found.keys())
        labels = {
            each for part in re.findall(r"\{([^}]*)\}", bare) for each in re.findall(r"(\w+)\s*[!=]", part)
        }
        labels |= {
            each
            for part in re.findall(r"(?:by|ignoring) \(?([^)]*)\)", bare)
            for each in re.findall(r"\w+", part)
        }
        for metric in metrics:
            assert labels <= found[metric] | {"of"}, (name, metric, labels)
        # Nothing is left that is neither a metric, a label nor a word of the language: a misspelt name fails here.
        words = set(re.findall(r"[A-Za-z_]\w*", bare)) - metrics - labels - FUNCTIONS - {"Inf"}
        assert not words, (name, words)
        assert expression.count("(") == expression.count(")"), name


def test_each_value_that_a_rule_asks_for_is_one_that_there_is(maker: Maker, services: Services):
    """`{of="rejectd"}` is no error to Prometheus: it never fires."""
    everything(maker)
    seen: dict[str, set[str]] = {}
    for sample in scrape(services):
        seen.setdefault(sample.name, set()).add(sample.labels.get("of", ""))
    for name, expression in expressions():
        for metric, value in re.findall(r'(orderwatch_\w+)\{of="([^"]*)"\}', expression):
            assert value in seen[metric], (name, metric, value)
        for metric, several in re.findall(r'(orderwatch_\w+)\{of=~"([^"]*)"\}', expression):
            assert set(several.split("|")) <= seen[metric], (name, metric, several)


def test_each_share_is_of_figures_with_the_same_labels():
    """A sum has lost the labels of each scraped figure (job, instance): with `ignoring(of)` nothing would match."""
    shares = [(name, expression) for name, expression in expressions() if " / " in expression]
    assert len(shares) > 4
    for name, expression in shares:
        assert ("ignoring(of)" in expression) != ("sum(" in expression), name


def test_a_rule_that_tells_a_share_has_the_share_as_its_value():
    """The value of `a and b` is that of a."""
    for group in read_yaml(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            tells_share = "humanizePercentage" in rule["annotations"]["summary"]
            assert not tells_share or " / " in rule["expr"].split(" and ")[0], rule["alert"]


def test_each_rule_says_what_happened_what_it_means_and_how_loud_it_is():
    for group in read_yaml(ALERTS.read_text())["groups"]:
        names = [rule["alert"] for rule in group["rules"]]
        assert len(names) == len(set(names))
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert len(rule["annotations"]["description"]) > 60, rule["alert"]


def test_each_metric_says_what_it_is_and_has_no_other_label(maker: Maker, services: Services):
    everything(maker)
    for sample in scrape(services):
        family = re.sub(r"_(bucket|gcount|gsum)$", "", sample.name)
        assert family in HELP
        assert set(sample.labels) <= {"of", "le"}
    assert {re.sub(r"_(bucket|gcount|gsum)$", "", each.name) for each in scrape(services)} == HELP.keys()


def test_what_happened_lately_is_counted_and_what_is_old_is_not(maker: Maker, services: Services):
    maker.clock.at = datetime.now(UTC) - timedelta(minutes=30)
    maker.order("old", Phase.REJECTED)
    assert figures(services, "orderwatch_recent_orders")["REJECTED"] == 0
    maker.clock.at = datetime.now(UTC) - timedelta(seconds=20)
    maker.order("new", Phase.REJECTED)
    maker.order("filled", Phase.FILLED)
    recent = figures(services, "orderwatch_recent_orders")
    assert (recent["REGISTERED"], recent["REJECTED"], recent["FILLED"], recent["BLOCKED"]) == (2, 1, 1, 0)
    assert figures(services, "orderwatch_recent_alerts")["accepted"] == 2
    took = [each for each in scrape(services) if each.name == "orderwatch_order_seconds_gcount"]
    assert {each.labels["of"]: each.value for each in took} == {"sent": 2, "filled": 1}


def test_positions_that_were_never_compared_are_older_than_any_limit(maker: Maker, services: Services):
    now = datetime.now(UTC)
    maker.store.save_positions("default", PositionsSnapshot(now, ()), now.date())
    assert figures(services, "orderwatch_positions_compared_age_seconds") == {"default": float("inf")}


def test_a_clock_that_was_set_back_is_seen_until_the_time_has_come_again(maker: Maker, services: Services):
    maker.clock.at = datetime.now(UTC) + timedelta(hours=1)
    maker.order("of the future", Phase.FILLED)
    maker.clock.at = datetime.now(UTC)
    maker.order("of now", Phase.FILLED)
    assert 3500 < figures(services, "orderwatch_clock_set_back_seconds")["database"] < 3700


def test_a_database_that_cannot_be_read_leaves_no_figure_but_the_check_that_fails(
    maker: Maker, services: Services, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(services.database, "metrics", broken)
    monkeypatch.setattr(services.database, "timings", broken)
    assert {each.name for each in scrape(services)} == {"orderwatch_check_ok"}
    assert figures(services, "orderwatch_check_ok")["database"] == 0


def test_no_statement_of_the_metrics_reads_a_whole_table(maker: Maker, services: Services):
    """Each reads an index of what is open, the end of a table, or the index of what is closed, once a minute."""
    everything(maker)
    connection = services.database.queries()._readers.get()  # type: ignore[attr-defined]
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    services.database.metrics(datetime.now(UTC))
    services.database.timings(datetime.now(UTC))
    connection.set_trace_callback(None)
    assert len(asked) > 12
    small = {"accounts", "heartbeats", "halts", "position_differences", "unreadable_positions", "u"}
    plans = [
        (sql, str(tuple(row)[3])) for sql in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    scans = [(sql, plan) for sql, plan in plans if plan.startswith("SCAN") and plan.split()[1] not in small]
    for sql, plan in scans:
        index = re.search(r"INDEX (\w+)", plan)
        assert index[1] in SHORT if index else "DESC LIMIT" in sql or "(" in plan, (sql, plan)
    assert sum("orders_closed" in plan for _, plan in plans) == 1  # once, by the whole scrape


def test_closed_orders_are_counted_once_a_minute(maker: Maker, services: Services):
    counted = queries.ClosedCounts()
    now = datetime.now(UTC)
    asked: list[int] = []

    def count() -> dict[str, float]:
        asked.append(1)
        return {"EXECUTED": float(len(asked))}

    assert [counted.at(now + timedelta(seconds=s), count)["EXECUTED"] for s in (0, 59, 60, 61)] == [
        1,
        1,
        2,
        2,
    ]


def test_buckets_hold_what_is_below_them_too():
    counts = dict(buckets_of([0.005, 0.006, 2.0, 5000.0]))
    assert (counts["0.005"], counts["0.01"], counts["2.5"], counts["900.0"], counts["+Inf"]) == (
        1,
        2,
        3,
        3,
        4,
    )
    assert len(counts) == len(BUCKETS) + 1
