"""The code keeps the house rules; and whoever breaks one is named with file, line and rule."""

from pathlib import Path

import pytest

from tests.architecture import violations
from tests.prose import prose_read

ROOT = Path(__file__).resolve().parent.parent
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * 60
LONG_SELECT = "SELECT command_id FROM orders WHERE client_id = ? AND status = ? LIMIT 1"

BREACHES = [
    ("domain/x.py", "import persistence", "domain/x.py:1: must not import persistence"),
    (
        "domain/x.py",
        "\ndef f():\n    from persistence.sqlite.database import Db",
        "domain/x.py:3: must not import persistence",
    ),
    ("domain/x.py", "import json, os", "domain/x.py:1: must not use os"),
    ("domain/x.py", "import sqlite3", "domain/x.py:1: must not use sqlite3"),
    ("domain/x.py", "import socket", "domain/x.py:1: must not use socket"),
    ("domain/x.py", "from urllib import request", "domain/x.py:1: must not use urllib.request"),
    ("domain/x.py", "import requests", "domain/x.py:1: must not use requests"),
    ("domain/x.py", "from time import monotonic", "domain/x.py:1: must not use time"),
    ("domain/x.py", "at = datetime.now(UTC)", "domain/x.py:1: must not read the clock: datetime.now"),
    (
        "domain/x.py",
        "clock = dt.datetime.utcnow",
        "domain/x.py:1: must not read the clock: dt.datetime.utcnow",
    ),
    ("domain/x.py", "day = date.today()", "domain/x.py:1: must not read the clock: date.today"),
    ("domain/x.py", "open('a')", "domain/x.py:1: must not use open()"),
    (
        "domain/x.py",
        "float(price)",
        "domain/x.py:1: money, prices and quantities are Decimal: must not use float()",
    ),
    (
        "blockers/risk.py",
        "from observability import log",
        "blockers/risk.py:1: must not import observability",
    ),
    ("blockers/risk.py", "import logging", "blockers/risk.py:1: must not use logging"),
    ("command_service.py", "import requests", "command_service.py:1: must not use requests"),
    (
        "command_service.py",
        "import persistence.sqlite.database",
        "command_service.py:1: must not import persistence",
    ),
    ("order_watcher.py", "import threading", "order_watcher.py:1: must not use threading"),
    ("order_watcher.py", "import trading_bot", "order_watcher.py:1: must not import trading_bot"),
    (
        "order_watcher.py",
        "if __name__ == '__main__':\n    import trading_bot, persistence",
        "order_watcher.py:2: must not import persistence",
    ),
    (
        "order_watcher.py",
        "broker.place(c)",
        "order_watcher.py:1: only one line, in engine/submitter.py, sends orders to a broker: no other .place",
    ),
    ("engine/x.py", "import persistence", "engine/x.py:1: must not import persistence"),
    ("alerts/formats/x.py", "from flask import request", "alerts/formats/x.py:1: must not use flask"),
    (
        "alerts/formats/x.py",
        "from ... import persistence",
        "alerts/formats/x.py:1: must not import persistence",
    ),
    ("alerts/webhook.py", "import requests", "alerts/webhook.py:1: must not use requests"),
    ("console/pages.py", "import persistence", "console/pages.py:1: must not import persistence"),
    ("persistence/x.py", "import requests", "persistence/x.py:1: must not use requests"),
    ("persistence/x.py", "from config import settings", "persistence/x.py:1: must not import config"),
    (
        "cli.py",
        "from persistence.sqlite.database import connect",
        "cli.py:1: only persistence/ knows which database it is: must not import persistence.sqlite",
    ),
    (
        "app/container.py",
        "import sqlite3",
        "app/container.py:1: only persistence/ knows which database it is: must not use sqlite3",
    ),
    ("broker/shoonya.py", "import sqlite3", "broker/shoonya.py:1: must not use sqlite3"),
    ("broker/shoonya.py", "import sqlite_utils", "broker/shoonya.py:1: must not use sqlite_utils"),
    ("notifications/x.py", "import command_service", "notifications/x.py:1: must not import command_service"),
    ("app/x.py", "import persistence", "app/x.py:1: must not import persistence"),
    ("config/x.py", "import requests", "config/x.py:1: must not use requests"),
    (
        "persistence/sqlite/x.py",
        "import os\nos.environ['A']",
        "persistence/sqlite/x.py:2: only config/settings.py reads the environment: os.environ",
    ),
    ("cli.py", "from os import getenv", "cli.py:1: only config/settings.py reads the environment: os.getenv"),
    ("broker/x.py", "import dotenv", "broker/x.py:1: must not use dotenv"),
    (
        "engine/submitter.py",
        "broker.place(command)\nbroker.place(command)",
        "engine/submitter.py:2: only one line, in engine/submitter.py, sends orders to a broker: no other .place",
    ),
    (
        "app/x.py",
        "x.place_together(c)",
        "app/x.py:1: only one line, in engine/submitter.py, sends batches to a broker: no other .place_together",
    ),
    (
        "app/x.py",
        "pool.submit(broker.place, command)",
        "app/x.py:1: only one line, in engine/submitter.py, sends orders to a broker: no other .place",
    ),
    ("app/x.py", "import config.settings", "app/x.py:1: must not import config"),
    ("broker/x.py", "import config.settings", "broker/x.py:1: must not import config"),
    ("broker/x.py", "from config import settings", "broker/x.py:1: must not import config"),
    ("broker/x.py", "from config.brokersx import y", "broker/x.py:1: must not import config"),
    ("config/x.py", "import broker.registry", "config/x.py:1: must not import broker"),
    ("app/x.py", "\nif name == 'shoonya': pass", "app/x.py:2: only broker/ names a broker: shoonya"),
    ("config/x.py", "flattrade_user_id: str", "config/x.py:1: only broker/ names a broker: flattrade"),
    ("console/x.py", "# as Noren does", "console/x.py:1: only broker/ names a broker: noren"),
    ("cli.py", "PaperBroker()", "cli.py:1: only broker/ names a broker: paper"),
    ("trading_bot.py", "isinstance(x, ZEBU)", "trading_bot.py:1: only broker/ names a broker: zebu"),
    ("app/x.py", "\nif name == 'native': pass", "app/x.py:2: only alerts/ names a dialect: native"),
    ("cli.py", "from alerts.formats.native import NATIVE", "cli.py:1: only alerts/ names a dialect: native"),
    ("domain/x.py", "\ndef", "domain/x.py:2: invalid syntax"),
    ("domain/x.py", "x = 1\n" * 501, "domain/x.py:501: a module has at most 500 lines"),
    ("cli.py", LONG_FUNCTION, "cli.py:1: long: a function has at most 60 lines"),
    (
        "persistence/sqlite/x.py",
        f"\nQUERY = 'SELECT 1 FROM orders WHERE {'x = 1 AND ' * 20} true'",
        "persistence/sqlite/x.py:2: SQL of more than 160 characters stands in a file of persistence/sqlite/queries/",
    ),
    (
        "persistence/sqlite/x.py",
        f"def f(at):\n    return f'SELECT {{at}} FROM orders WHERE {'x = 1 AND ' * 20} true'",
        "persistence/sqlite/x.py:2: SQL of more than 160 characters stands in a file of persistence/sqlite/queries/",
    ),
    (
        "persistence/sqlite/x.py",
        f"A = '{LONG_SELECT}'\nB = '{LONG_SELECT}'",
        "persistence/sqlite/x.py:2: SQL that stands in persistence/sqlite/x.py:1 too stands in a file of "
        "persistence/sqlite/queries/",
    ),
    (
        "persistence/sqlite/x.py",
        "statement('gone')",
        "persistence/sqlite/x.py:1: persistence/sqlite/queries/ has no gone.sql",
    ),
    (
        "persistence/sqlite/queries/x.sql",
        "SELECT 1",
        "persistence/sqlite/queries/x.sql:1: no code names this file",
    ),
    (
        "helpers/x.py",
        "",
        "helpers/:1: no room has this name; a new room is a decision, written into ROOMS first",
    ),
    ("utils.py", "", "utils.py:1: no room has this name; a new room is a decision, written into ROOMS first"),
]

GRANTED = [
    ("domain/x.py", "from domain import money\nimport json\nfrom . import ids\nnow = clock.now()"),
    (
        "command_service.py",
        "from blockers import pipeline\nfrom observability import log\nfrom domain import ports",
    ),
    ("engine/submitter.py", "import threading\nfrom engine import seat\nseat.broker.place(command)"),
    (
        "order_watcher.py",
        "from engine.submitter import Submitter\nif __name__ == '__main__':\n    import trading_bot",
    ),
    ("alerts/webhook.py", "from flask import request\nimport command_service\nfrom http import HTTPStatus"),
    (
        "alerts/formats/x.py",
        "from ..quality import check\nfrom ...domain import alert\nfrom urllib.parse import unquote",
    ),
    ("persistence/sqlite/x.py", "import sqlite3\nimport sqlite_utils\nimport os"),
    ("persistence/sqlite/schema.py", f"A = '{LONG_SELECT * 9}'\nB = '{LONG_SELECT * 9}'"),
    (
        "persistence/sqlite/x.py",
        f"A = '{LONG_SELECT}'\n'''SELECT it FROM there WHERE {'it is long, ' * 20}'''",
    ),
    (
        "broker/shoonya/x.py",
        "import requests\nfrom urllib3.exceptions import NewConnectionError\nself.api.place(order)",
    ),
    ("broker/paper/adapter.py", "import sqlite3"),
    ("broker/x/settings.py", "from config.fields import Text\nfrom config.brokers import AccountSettings"),
    ("broker/x/y.py", "name = 'shoonya'"),
    ("alerts/x.py", "name = 'native'"),
    ("engine/x.py", "natives = 'alternative'"),
    ("engine/x.py", "papers = wallpaper = 'newspapers'"),
    ("app/settings.py", "from broker.registry import BROKERS\nfrom config.settings import read_settings"),
    ("config/settings.py", "import os\nos.environ\nimport dotenv\nimport pydantic"),
    ("trading_bot.py", "import cli, persistence, flask, gunicorn\ndatetime.now(UTC)"),
    ("tests/x.py", "import persistence, requests\nbroker.place(command)"),
    (".venv/x.py", "import persistence"),
    ("data/x.py", "import persistence"),
    ("gone/__pycache__/x.pyc", ""),
]


def plant(root: Path, name: str, source: str) -> None:
    """A tree with one file in it."""
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)


def test_the_project_keeps_its_rules():
    found = violations(ROOT)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("name", "source", "expected"), BREACHES)
def test_a_breach_is_named(tmp_path, name, source, expected):
    plant(tmp_path, name, source)
    assert violations(tmp_path) == [expected]


@pytest.mark.parametrize(("name", "source"), GRANTED)
def test_what_is_granted_passes(tmp_path, name, source):
    plant(tmp_path, name, source)
    assert violations(tmp_path) == []


# prose --------------------------------------------------------------------------------------------------------

READINGS = [
    ("if order.reason_message == told: pass", "compares prose"),
    ("if 'ORDER FAILED' in message.text: pass", "compares prose"),
    ("if order.reason_message.strip().lower() != 'x': pass", "compares prose"),
    ("if (row['detail'] or '') in words: pass", "compares prose"),
    ("if beat.get('detail') == 'x': pass", "compares prose"),
    ("why = str(row['detail'])\nif why.startswith('account: '): pass", "parses prose by startswith"),
    ("why, at = row['detail'], 1\ncause = why\ncause.partition(': ')", "parses prose by partition"),
    ("line = message.text.split('\\n')[0]\nline.endswith('x')", "parses prose by split"),
    ("notice.detail[:9].removeprefix('x')", "parses prose by removeprefix"),
    ("re.search('x', order.exchange_error_snippet)", "parses prose by search of an expression"),
    ("_ID.fullmatch(reason.sentence or tag)", "parses prose by fullmatch of an expression"),
    ("match order.reason_message:\n    case 'x': pass", "matches prose"),
    ("def f(self, sentence):\n    return sentence == self.tag", "compares prose"),
    ("QUERY = \"SELECT 1 FROM orders WHERE reason_message LIKE 'x%'\"", "searches prose in SQL"),
    ("QUERY = \"SELECT instr(t.message, 'ORDER FAILED')\"", "searches prose in SQL"),
]

NO_READINGS = [
    "if order.reason_message is None or order.reason_message == '': pass",
    "text = order.reason_message or order.tag\nprint(f'{text}: {order.reason_detail}')",
    "if order.tag == 'x' and text == 'y' and word.startswith('z'): pass",
    "quotes.search(exchange, text, read)",
    "QUERY = 'UPDATE orders SET reason_message = ?, detail = ? WHERE symbol LIKE ?'",
]


def test_no_prose_is_compared_or_parsed():
    found = prose_read(ROOT)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("source", "rule"), READINGS)
def test_a_reading_of_prose_is_named(tmp_path, source, rule):
    plant(tmp_path, "engine/x.py", source)
    assert any(line.endswith(f": {rule}") for line in prose_read(tmp_path, {}))


@pytest.mark.parametrize("source", NO_READINGS)
def test_what_reads_no_prose_passes(tmp_path, source):
    plant(tmp_path, "engine/x.py", source)
    assert prose_read(tmp_path, {}) == []


def test_a_statement_in_a_file_of_its_own_is_read_too(tmp_path):
    plant(tmp_path, "persistence/sqlite/queries/x.sql", "SELECT 1\nWHERE instr(t.message, 'ORDER FAILED')")
    assert prose_read(tmp_path, {}) == ["persistence/sqlite/queries/x.sql:2: <module>: searches prose in SQL"]


def test_a_reading_is_allowed_where_it_stands_and_nowhere_else(tmp_path):
    source = "class X:\n    def f(self): return order.reason_message == 'x'\n    def g(self): return note.text == 'x'"
    plant(tmp_path, "engine/x.py", source)
    assert prose_read(tmp_path, {("engine/x.py", "X.f"): "why"}) == ["engine/x.py:3: X.g: compares prose"]


def test_what_is_allowed_in_vain_is_named(tmp_path):
    plant(tmp_path, "engine/x.py", "")
    assert prose_read(tmp_path, {("engine/x.py", "X.f"): "why"}) == [
        "engine/x.py: X.f: allowed, and does nothing of the kind"
    ]
