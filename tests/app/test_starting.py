"""The start: what can be typed, what is printed, what stops it, and that every process logs as it was told to."""

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import trading_bot
from app.arguments import Start, check_no_arguments, service_arguments
from app.settings import load_settings
from app.starting import print_banner
from app.supervisor import EXIT_PORT_TAKEN, EXIT_REPLACED
from tests.e2e.service import free_port

ROOT = Path(__file__).resolve().parents[2]
SHOONYA = {
    "BROKER": "shoonya",
    "SHOONYA_API_URL": "http://127.0.0.1:9",
    "SHOONYA_USER_ID": "FA1",
    "SHOONYA_ACCESS_TOKEN": "t",
}
OWN = {"WEBHOOK_SECRET": "a-secret-that-is-mine", "CONSOLE_TOKEN": "a-token-that-is-mine"}


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# what can be typed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("", Start(None, supervised=False)),
        ("web", Start("web", supervised=False)),
        ("watch", Start("watch", supervised=False)),
        ("--supervised", Start(None, supervised=True)),
        ("web --supervised", Start("web", supervised=True)),
        ("watch --supervised", Start("watch", supervised=True)),
    ],
)
def test_the_ways_in_which_the_service_is_started(typed, means):
    assert service_arguments(typed.split()) == means


NONSENSE = [
    "nonsense",
    "web watch",
    "web web",
    "--sup",
    "watch --pulse-pipe 7",
    "Web",
    "-x",
]


@pytest.mark.parametrize(("typed", "code"), [("--help", 0), ("-h", 0), *((words, 2) for words in NONSENSE)])
@pytest.mark.parametrize("take", [trading_bot.main, service_arguments, check_no_arguments])
def test_anything_else_starts_nothing(typed, code, take, tmp_path, capsys, monkeypatch):
    for step in ("end_with_parent", "read_settings"):
        monkeypatch.setattr(trading_bot, step, lambda: pytest.fail("something is started"))
    with pytest.raises(SystemExit) as end:
        take(typed.split())
    said = capsys.readouterr()
    assert end.value.code == code
    assert "usage:" in (said.out if code == 0 else said.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("program", ["trading_bot.py", "order_watcher.py"])
@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("nonsense", 2)])
def test_the_programs_read_what_was_typed(program, word, code, tmp_path):
    ended = subprocess.run(
        [sys.executable, ROOT / program, word],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == code
    assert f"usage: {program}".encode() in ended.stdout + ended.stderr
    assert list(tmp_path.iterdir()) == []


# what is printed --------------------------------------------------------------------------------------------------


def greeting(capsys: pytest.CaptureFixture[str], **environ: str) -> str:
    print_banner(load_settings(environ, dotenv_path=None))
    return capsys.readouterr().out


def alert_in(text: str) -> dict[str, object]:
    """The alert that the line to paste posts, read as a shell reads it."""
    [line] = [line for line in text.splitlines() if "curl" in line]
    words = shlex.split(line)
    alert = json.loads(words[words.index("-d") + 1])
    assert isinstance(alert, dict)
    return alert


def test_with_the_paper_broker_the_line_can_be_pasted_as_it_is(capsys):
    text = greeting(capsys)
    settings = load_settings({}, dotenv_path=None)
    secret = settings.default_client.webhook_secret.get_secret_value()
    assert alert_in(text)["secret_key"] == secret
    assert "test_mode" not in alert_in(text)
    assert "default at paper: orders are simulated" in text
    assert settings.console_token.get_secret_value() in text


@pytest.mark.parametrize(
    ("live", "says"), [("true", "orders are LIVE"), ("false", "live trading is off, no order is sent")]
)
def test_with_a_real_broker_the_line_buys_nothing(capsys, live, says):
    text = greeting(capsys, **SHOONYA, **OWN, LIVE_TRADING=live)
    assert f"default at shoonya: {says}" in text
    assert alert_in(text)["test_mode"] == "SUCCESS"
    assert alert_in(text)["secret_key"] == "<your WEBHOOK_SECRET>"
    assert not any(secret in text for secret in OWN.values())


def test_one_real_broker_among_the_clients_is_enough(capsys):
    Path("clients.toml").write_text(
        '[clients.alice]\nwebhook_secret = "alices-own-secret"\n[clients.bob]\nbroker = "zebu"\nlive_trading = true\n'
        'webhook_secret = "bobs-own-secret-too"\nzebu_user_id = "Z"\nzebu_access_token = "t"\n'
    )
    text = greeting(capsys, CLIENTS_FILE="clients.toml", CLIENT_ID="alice", CONSOLE_TOKEN="t" * 16)
    assert "alice at paper: orders are simulated\n  client         bob at zebu: orders are LIVE" in text
    assert alert_in(text)["test_mode"] == "SUCCESS"


@pytest.mark.parametrize("name", OWN)
def test_only_secrets_that_were_made_up_are_printed(capsys, name):
    text = greeting(capsys, **{name: OWN[name]})
    assert OWN[name] not in text and "(as you set it)" in text
    [other] = OWN.keys() - {name}
    assert json.loads(Path("data/secrets.json").read_text())[other] in text


# the whole service ------------------------------------------------------------------------------------------------


def _started(folder: Path, **settings: str) -> subprocess.Popen[str]:
    """`python trading_bot.py` in an empty folder."""
    return subprocess.Popen(
        [sys.executable, ROOT / "trading_bot.py"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **OWN, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_port_that_is_taken_is_told_before_anything_is_touched(tmp_path, style):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        with _started(tmp_path, PORT=port, LOG_FORMAT=style, LOG_LEVEL="CRITICAL") as service:
            out, err = service.communicate(timeout=30)
    assert service.returncode == EXIT_PORT_TAKEN
    [line] = err.splitlines()
    told = json.loads(line)["message"] if style == "json" else line
    assert f"another program listens on 127.0.0.1:{port}: nothing was started" in told
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("style", ["json", "text"])
def test_supervisor_and_children_log_in_the_form_of_the_settings(tmp_path, style):
    with _started(tmp_path, PORT=str(free_port()), LOG_FORMAT=style) as service:
        lines = []
        assert service.stderr is not None
        for line in service.stderr:
            lines.append(line)
            if "ready on http" in line:
                break
        service.terminate()
        lines += service.communicate(timeout=25)[1].splitlines()
    if style == "json":
        logs = [(entry["logger"], entry["process"]) for entry in map(json.loads, lines)]
    else:
        logs = [(line.split()[3].rstrip(":"), int(line.split()[2].strip("[]"))) for line in lines]
    assert ("app.supervisor", service.pid) in logs
    for logger in ("persistence.sqlite.migrations", "app.watcher"):
        assert {process for name, process in logs if name == logger} - {service.pid}


def test_a_database_that_cannot_be_served_ends_the_start_with_its_line_and_status(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orders.db").write_bytes(b"no database" * 1000)
    with _started(tmp_path, PORT=str(free_port())) as service:
        out, err = service.communicate(timeout=30)
    assert service.returncode == EXIT_REPLACED
    assert "Orderwatch cannot start: " in err and "Traceback" not in err
    assert out == ""
