"""Two accounts at one broker, which nobody can reach."""

from pathlib import Path

CLIENTS = """
[clients.alice]
webhook_secret = "one"
shoonya_user_id = "FA1"
[clients.bob]
webhook_secret = "two"
shoonya_user_id = "FA2"
"""


def environ_of(folder: Path) -> dict[str, str]:
    """What the environment says, of a service whose files are in this folder; `CLIENTS` is clients.toml there."""
    return {
        "CONSOLE_TOKEN": "open-sesame-please",
        "CLIENTS_FILE": "clients.toml",
        "CLIENT_ID": "alice",
        "ORDERS_DB": str(folder / "orders.db"),
        "BROKER": "shoonya",
        "SHOONYA_API_URL": "http://127.0.0.1:9",
        "SHOONYA_ACCESS_TOKEN": "t",
    }
