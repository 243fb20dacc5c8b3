"""Made-up secrets: made once, for their owner only, and the same for processes that start together."""

import json
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from config.checking import SettingsError
from config.secrets_file import ensure_secrets


def test_they_are_made_up_once_and_kept(tmp_path):
    path = tmp_path / "data" / "secrets.json"
    first = ensure_secrets(path, ["A", "B"])
    assert first.keys() == {"A", "B"}
    assert first["A"] != first["B"]
    assert all(len(value) >= 32 for value in first.values())
    assert ensure_secrets(path, ["B", "A"]) == first
    assert [entry.name for entry in path.parent.iterdir()] == ["secrets.json"]


def test_a_new_name_is_added_and_the_others_stay(tmp_path):
    path = tmp_path / "secrets.json"
    old = ensure_secrets(path, ["A"])
    new = ensure_secrets(path, ["B"])
    assert json.loads(path.read_text()) == {**old, **new}


def test_only_the_owner_can_read_it_from_the_start(tmp_path, monkeypatch):
    modes = []
    replace = Path.replace

    def watched(self, target):
        modes.append(stat.S_IMODE(self.stat().st_mode))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    before = os.umask(0)
    try:
        ensure_secrets(tmp_path / "secrets.json", ["A"])
    finally:
        os.umask(before)
    assert modes == [0o600]


def test_a_file_that_others_could_read_is_closed(tmp_path):
    path = tmp_path / "secrets.json"
    ensure_secrets(path, ["A"])
    path.chmod(0o644)
    ensure_secrets(path, ["A"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_crash_left_behind_does_no_harm(tmp_path):
    path = tmp_path / "secrets.json"
    (tmp_path / "secrets.json.new").write_text("{")
    kept = ensure_secrets(path, ["A"])
    assert json.loads(path.read_text()) == kept
    assert not (tmp_path / "secrets.json.new").exists()


def test_processes_that_start_together_agree(tmp_path):
    path = tmp_path / "data" / "secrets.json"
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        results = [pool.submit(ensure_secrets, path, ["A", "B"]) for _ in range(40)]
        found = [result.result() for result in results]
    assert all(each == found[0] for each in found)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"A": 5}', '{"A": ""}'])
def test_a_file_with_something_else_in_it_is_never_overwritten(tmp_path, text):
    path = tmp_path / "secrets.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="remove it to get new ones"):
        ensure_secrets(path, ["A"])
    assert path.read_text() == text


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="made-up secrets cannot be kept there"):
        ensure_secrets(tmp_path / "file" / "secrets.json", ["A"])
