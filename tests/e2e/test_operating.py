"""The way through docs/operating.md with a real service: a copy while it runs, and back, by its commands."""

import re
from pathlib import Path

import pytest

from tests.commands_in_text import ROOT, commands_in
from tests.e2e.service import Service, alert

PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")


def section(title: str) -> list[tuple[str, ...]]:
    """The exact commands of cli.py in a section, and those of one word, in their order."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    blocks = "\n".join(re.findall(r"```sh\n.*?```", found[1], re.DOTALL))
    return [command.words for command in commands_in(blocks) if command.name]


def run(service: Service, words: tuple[str, ...], copy: str) -> int:
    """Type a command of the page, with the copy's name in the place of the page's."""
    typed = [copy if word.startswith("backups/") else word for word in words]
    return service.run("cli.py", *typed).wait(60)


@pytest.mark.gate
@pytest.mark.timeout(180)
def test_a_copy_that_was_made_while_it_ran_is_restored_by_the_commands_of_the_page(tmp_path: Path):
    (back_up,) = section("Back up, while it runs")
    restore, verify, doctor, resume = section("Restore")
    assert (back_up[0], restore[0], verify[0], doctor[0], resume[0]) == (
        "backup", "restore", "verify", "doctor", "resume",
    )  # fmt: skip
    with Service(tmp_path) as service:
        id_ = service.post(alert()).json()["legs"][0]["command_id"]
        assert service.settled(id_, 20)["status"] == "EXECUTED"
        copy = str(tmp_path / "copy.db")
        assert run(service, back_up, copy) == 0
        assert run(service, restore, copy) != 0  # while it runs
        assert service.is_ready()
        assert service.stop() == 0
        assert run(service, restore, copy) == 0
        assert run(service, verify, copy) == 0
        assert run(service, resume, copy) == 0  # of the halt that a restore leaves
        service.start()
        assert service.settled(id_, 5)["status"] == "EXECUTED"  # what was before the copy is there
        again = service.post(alert(symbol="AGAIN", strategy_name="AGAIN")).json()["legs"][0]
        assert service.settled(again["command_id"], 20)["status"] == "EXECUTED"
