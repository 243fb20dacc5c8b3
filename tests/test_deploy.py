"""The files of deploy/, as far as they can be tried without an engine: what they name exists, figures fit ours."""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from app.container import build_services
from app.settings import load_settings
from app.supervisor import _STOP_SECONDS
from app.web import gunicorn_options
from broker.registry import BROKERS
from config.model import Service, environment_model
from tests.commands_in_text import commands_in
from tests.plain_yaml import NotPlain, read_yaml
from trading_bot import make_app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
HOME = "/opt/orderwatch"
MADE_BY_HAND = {".venv/bin/python", "data", "backups", "."}
"""What an installation has beside the files of the repository."""
NOT_SETTINGS = {
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "ORDERWATCH_DOMAIN",
    "ORDERWATCH_UPSTREAM",
    "ORDERWATCH_PRIVATE",
}
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
KEEPALIVE = gunicorn_options("127.0.0.1", 1, workers=1, threads=1)["keepalive"]


def settings_names() -> set[str]:
    return {name.upper() for name in environment_model(BROKERS).model_fields}


def directives(unit: Path) -> list[tuple[str, str]]:
    """Each `Name=value` of a unit."""
    lines = [line for line in unit.read_text().splitlines() if line and line[0] not in "#["]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def compose() -> Any:
    return read_yaml((DEPLOY / "docker" / "compose.yml").read_text())


def seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)(ms|s|m)?", text)
    assert found is not None, text
    return int(found[1]) * {"ms": 0.001, "m": 60, None: 1, "s": 1}[found[2]]


@pytest.mark.parametrize(
    "path", [each for each in FILES if each.suffix in (".yml", ".json")], ids=lambda p: p.name
)
def test_each_file_is_read_whole(path: Path):
    content = json.loads(path.read_text()) if path.suffix == ".json" else read_yaml(path.read_text())
    assert isinstance(content, dict) and content


@pytest.mark.parametrize(
    "text", ["a: 1\n   b: 2", "a:\n\tb", "a: {b: 1}", "a: 1\na: 2", "a: b: c", "a", "a: 1 # x"]
)
def test_what_the_reader_does_not_know_is_an_error(text: str):
    with pytest.raises((NotPlain, AssertionError)):
        read_yaml(text)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_each_path_of_the_installation_that_a_file_names_is_there(path: Path):
    for name in re.findall(rf"{HOME}/?([\w./-]*)", path.read_text()):
        assert name.rstrip("./") in {*MADE_BY_HAND, ""} or (ROOT / name.rstrip("/.")).exists(), (
            path.name,
            name,
        )


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_each_command_that_a_file_names_can_be_typed(path: Path):
    for command in commands_in(path.read_text()):
        command.check()


def test_the_units_run_programs_that_there_are():
    for unit in UNITS:
        for name, value in directives(unit):
            if name == "ExecStart" and unit.name == "orderwatch.service":
                program, script, *rest = shlex.split(value)
                assert (program, rest) == (f"{HOME}/.venv/bin/python", []) and (ROOT / script).exists()


def test_each_setting_that_a_file_sets_is_one_of_ours():
    named = [
        value.partition("=")[0] for unit in UNITS for name, value in directives(unit) if name == "Environment"
    ]
    for service in compose()["services"].values():
        named += service["environment"]
    dockerfile = (DEPLOY / "docker" / "Dockerfile").read_text()
    named += re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", dockerfile, re.MULTILINE)
    named += [
        name
        for path in FILES
        for name in re.findall(r"\b([A-Z]+(?:_[A-Z]+)+)=\S", path.read_text())
        if name != "WANTS"
    ]
    assert {"HOST", "LOG_FORMAT", "ORDERS_DB", "TRUSTED_PROXIES"} <= set(named)
    assert set(named) <= settings_names() | NOT_SETTINGS


def test_the_service_has_longer_to_end_than_its_first_process_gives_the_others():
    unit = dict(directives(DEPLOY / "systemd" / "orderwatch.service"))
    assert seconds(unit["TimeoutStopSec"]) > _STOP_SECONDS
    assert seconds(compose()["services"]["orderwatch"]["stop_grace_period"]) > _STOP_SECONDS
    assert (
        unit["KillMode"] == "mixed"
    )  # of all processes at once, the web server would end before the watcher
    assert unit["Restart"] == "always" and compose()["services"]["orderwatch"]["restart"] == "unless-stopped"


def test_the_units_run_as_nobody_special_and_write_to_their_folders_alone():
    for unit in UNITS:
        found = dict(directives(unit))
        if "ExecStart" in found:
            assert (found["User"], found["ProtectSystem"], found["NoNewPrivileges"]) == (
                "orderwatch",
                "strict",
                "true",
            )
            assert {path.removeprefix(f"{HOME}/") for path in found["ReadWritePaths"].split()} <= {
                "data",
                "backups",
            }


def test_the_container_runs_as_nobody_special_with_a_volume_and_is_asked_what_readiness_says():
    lines = (DEPLOY / "docker" / "Dockerfile").read_text().splitlines()
    assert lines.index("USER orderwatch") > max(
        n for n, line in enumerate(lines) if line.startswith(("COPY", "RUN"))
    )
    assert f"VOLUME {HOME}/data" in lines
    assert any("/readyz" in line for line in lines)
    service = compose()["services"]["orderwatch"]
    assert (service["read_only"], service["cap_drop"], service["init"]) == (True, ["ALL"], True)
    assert service["ports"] == [
        "127.0.0.1:8000:8000"
    ]  # 0.0.0.0 would be the world, past any firewall of the host
    assert f"data:{HOME}/data" in service["volumes"]
    assert (DEPLOY / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    assert (DEPLOY / "docker" / compose()["services"]["caddy"]["volumes"][0].partition(":")[0]).exists()


def test_what_is_left_out_of_the_image_is_not_needed_to_run():
    left_out = set((DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().split())
    needed = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()} - {
        "tests",
        "benchmarks",
    }
    assert not needed & left_out
    assert {".env", "data", "**/secrets.json", ".git"} <= left_out


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_the_port_is_the_one_that_a_new_installation_has(path: Path):
    for port in re.findall(r"(?:127\.0\.0\.1|orderwatch):(\d+)", path.read_text()):
        assert int(port) == Service.model_fields["port"].default, path.name


def test_the_proxies_take_as_much_as_we_do_and_let_go_of_connections_before_we_do():
    most = Service.model_fields["webhook_max_bytes"].default
    nginx, caddy = ((DEPLOY / "proxy" / name).read_text() for name in ("nginx.conf", "Caddyfile"))
    assert re.search(r"client_max_body_size (\d+);", nginx)[1] == str(most)
    assert re.search(r"max_size (\d+)", caddy)[1] == str(most)
    assert re.search(r"request_buffers (\d+)", caddy)[1] == str(most)
    tunnel = (DEPLOY / "proxy" / "cloudflared.yml").read_text()
    patterns = (
        (r"keepalive_timeout (\w+);", nginx),
        (r"keepalive (\d+s)", caddy),
        (r"keepAliveTimeout: (\w+)", tunnel),
    )
    waits = [re.search(pattern, text) for pattern, text in patterns]
    assert all(found is not None and seconds(found[1]) < KEEPALIVE for found in waits)


def test_the_world_reaches_the_webhook_and_nothing_else():
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text()
    for opening, body in re.findall(r"location ([^{]+)\{([^}]*)\}", nginx):
        is_open = "deny all" not in body
        assert is_open == opening.strip().endswith(("/webhook", "/webhook/")), opening
        assert not is_open or "access_log off" in body  # the secret may stand in the path
    plain = re.search(r"listen 80;([^}]*)\}", nginx)
    assert plain is not None and "access_log off;" in plain[1]  # there too
    caddy = (DEPLOY / "proxy" / "Caddyfile").read_text()
    assert "@alerts path /webhook /webhook/*\n" in caddy and "handle {\n\t\trespond 404\n" in caddy
    assert re.findall(r"handle (@\w+)", caddy) == ["@alerts", "@private"]
    rules = read_yaml((DEPLOY / "proxy" / "cloudflared.yml").read_text())["ingress"]
    assert rules[-1] == {"service": "http_status:404"}
    open_paths = re.compile(rules[0]["path"])
    assert all(open_paths.search(path) for path in ("/webhook", "/webhook/auto", "/webhook/auto/token"))
    assert not any(
        open_paths.search(path) for path in ("/", "/api/orders", "/login", "/webhooks", "/x/webhook")
    )


def test_senders_behind_a_proxy_are_told_apart_by_the_header_that_the_proxy_sets():
    nginx = (DEPLOY / "proxy" / "nginx.conf").read_text()
    assert (
        "proxy_set_header X-Forwarded-For $remote_addr;" in nginx
    )  # $proxy_add_x_… would keep what a sender wrote
    for name in ("nginx.conf", "Caddyfile", "cloudflared.yml"):
        assert "TRUSTED_PROXIES=1" in (DEPLOY / "proxy" / name).read_text(), name


def test_the_container_trusts_the_proxy_that_is_started_beside_it():
    text = (DEPLOY / "docker" / "compose.yml").read_text()
    assert "ORDERWATCH_DOMAIN and TRUSTED_PROXIES=1 in the shell or the .env of this folder" in text
    assert compose()["services"]["orderwatch"]["environment"]["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-0}"


def test_copies_are_kept_for_two_days_and_those_of_midnight_for_two_weeks(tmp_path: Path):
    copies, now = tmp_path / "backups", time.time()
    copies.mkdir()
    for hours in range(24 * 20):
        made = now - hours * 3600 - 60
        path = copies / time.strftime("orders-%Y%m%dT%H%M%SZ.db", time.gmtime(made))
        path.touch()
        os.utime(path, (made, made))
    (copies / "before-the-change.db").touch()
    os.utime(copies / "before-the-change.db", (0, 0))
    unit = dict(directives(DEPLOY / "systemd" / "orderwatch-backup.service"))
    subprocess.run(shlex.split(unit["ExecStartPost"]), cwd=tmp_path, check=True)
    left = {path.name for path in copies.iterdir()}
    hourly = {name for name in left if "T00" not in name}
    assert "before-the-change.db" in left and 45 <= len(hourly) - 1 <= 48
    assert 13 <= len(left - hourly) <= 15 and len(left) <= 61


def test_the_addresses_that_the_files_ask_are_routes_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    app = make_app(build_services(load_settings({}, dotenv_path=None)))
    ours = {rule.rule for rule in app.url_map.iter_rules()}
    assert {"/readyz", "/metrics", "/webhook"} <= ours
    scraped = read_yaml((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["metrics_path"] in ours and scraped["authorization"]["type"] == "Bearer"
    assert (DEPLOY / "prometheus" / "alerts.yml").exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(shutil.which("sh") or "/bin/sh")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace(HOME, str(tmp_path)))
    ran = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in UNITS)],
        capture_output=True, text=True, timeout=60, env={"SYSTEMD_LOG_LEVEL": "err", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    ours = [line for line in ran.stderr.splitlines() if "orderwatch" in line]
    assert ran.returncode == 0 and not ours, ran.stderr
