"""Every route of the application, and who may call it. A new one is a decision: it is written down here first."""

import pytest
from flask import Flask

from app.container import build_services
from app.settings import load_settings
from trading_bot import make_app

TOKEN = "a-long-console-token"
ANYBODY, SENDER, OPERATOR = "anybody", "whoever knows the webhook's secret", "whoever has the console's token"

ROUTES = {
    "/healthz": {"GET": ANYBODY},
    "/readyz": {"GET": ANYBODY},
    "/login": {"GET": ANYBODY, "POST": ANYBODY},
    "/static/<path:filename>": {"GET": ANYBODY},
    "/webhook": {"POST": SENDER},
    "/webhook/<name>": {"POST": SENDER},
    "/webhook/<name>/<path:token>": {"POST": SENDER},
    "/": {"GET": OPERATOR},
    "/alerts": {"GET": OPERATOR, "POST": OPERATOR},
    "/alerts/<alert_id>/replay": {"GET": OPERATOR, "POST": OPERATOR},
    "/exit": {"GET": OPERATOR, "POST": OPERATOR},
    "/find": {"GET": OPERATOR},
    "/health": {"GET": OPERATOR},
    "/logout": {"POST": OPERATOR},
    "/metrics": {"GET": OPERATOR},
    "/orders.csv": {"GET": OPERATOR},
    "/orders/<command_id>": {"GET": OPERATOR, "POST": OPERATOR},
    "/positions": {"GET": OPERATOR},
    "/protections/<protection_id>": {"GET": OPERATOR, "POST": OPERATOR},
    "/review": {"GET": OPERATOR},
    "/trading": {"GET": OPERATOR},
    "/api/alerts": {"GET": OPERATOR},
    "/api/attention": {"POST": OPERATOR},
    "/api/attention/decisions": {"GET": OPERATOR},
    "/api/diagnostics/frozen-orders": {"GET": OPERATOR},
    "/api/diagnostics/positions": {"GET": OPERATOR},
    "/api/diagnostics/recent-signals": {"GET": OPERATOR},
    "/api/flatten": {"POST": OPERATOR},
    "/api/groups": {"GET": OPERATOR},
    "/api/groups/<group_id>": {"POST": OPERATOR},
    "/api/halt": {"POST": OPERATOR},
    "/api/health": {"GET": OPERATOR},
    "/api/holdings/adopt": {"POST": OPERATOR},
    "/api/latches/lift": {"POST": OPERATOR},
    "/api/marks": {"POST": OPERATOR},
    "/api/openapi.json": {"GET": OPERATOR},
    "/api/orders": {"GET": OPERATOR},
    "/api/orders/<command_id>": {"GET": OPERATOR},
    "/api/orders/<command_id>/cancel": {"POST": OPERATOR},
    "/api/orders/<command_id>/resolve": {"POST": OPERATOR},
    "/api/pnl": {"GET": OPERATOR},
    "/api/positions": {"GET": OPERATOR},
    "/api/preview": {"POST": OPERATOR},
    "/api/protections": {"GET": OPERATOR},
    "/api/protections/<protection_id>": {"GET": OPERATOR, "POST": OPERATOR},
    "/api/resume": {"POST": OPERATOR},
    "/api/risk": {"GET": OPERATOR},
    "/api/state": {"POST": OPERATOR},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("routes")
    environ = {"ORDERS_DB": str(folder / "orders.db"), "WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": TOKEN}
    return make_app(build_services(load_settings(environ, dotenv_path=None)))


def test_the_table_has_every_route_and_no_other(app: Flask):
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.endswith(".refuse"):  # other methods of the webhook, answered 405
            found.setdefault(rule.rule, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    assert found == {rule: set(methods) for rule, methods in ROUTES.items()}


CALLS = [(rule, method, who) for rule, methods in ROUTES.items() for method, who in methods.items()]


@pytest.mark.parametrize(("rule", "method", "who"), CALLS)
def test_whoever_may_not_call_it_is_turned_away(app: Flask, rule: str, method: str, who: str):
    path = (
        rule.replace("<path:filename>", "console.css")
        .replace("<path:token>", "wrong")
        .replace("<name>", "native")
    )
    answer = app.test_client().open(path.replace("<", "").replace(">", ""), method=method)
    if who == ANYBODY:
        assert answer.status_code in (200, 401, 503)  # the form answers a wrong token, readiness no watcher
    elif who == SENDER:
        assert answer.status_code in (400, 401)
    else:
        leads_to_login = answer.status_code == 303 and answer.headers["Location"].startswith("/login")
        assert leads_to_login if method == "GET" and answer.status_code == 303 else answer.status_code == 401
