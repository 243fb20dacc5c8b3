"""What a process is made of: nothing that belongs to one client is given to another."""

from pathlib import Path

import pytest

from config.settings import load_settings
from services import Services, build_services

CLIENTS = """
[clients.alice]
webhook_secret = "one"
shoonya_user_id = "FA1"
[clients.bob]
webhook_secret = "two"
shoonya_user_id = "FA2"
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Two accounts at one broker."""
    monkeypatch.chdir(tmp_path)
    Path("clients.toml").write_text(CLIENTS)
    environ = {
        "CONSOLE_TOKEN": "open-sesame",
        "CLIENTS_FILE": "clients.toml",
        "CLIENT_ID": "alice",
        "ORDERS_DB": str(tmp_path / "orders.db"),
        "BROKER": "shoonya",
        "SHOONYA_API_URL": "http://127.0.0.1:9",
        "SHOONYA_ACCESS_TOKEN": "t",
    }
    return build_services(load_settings(environ))


def test_each_client_has_a_rate_budget_of_its_own(services, tmp_path):
    for broker in services.brokers.values():
        broker._budget.take(urgent=False)  # an account's own, with places of its own
    assert sorted(file.name for file in tmp_path.glob("*.budget")) == ["alice.budget", "bob.budget"]
