"""Whichever leg fails and whenever the watcher dies, a group is whole in the end or nothing of it is left."""

import pytest

from tests.engine import combined_grid
from tests.engine.group_grid import run


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("every", "of_cases"), [(40, 11), pytest.param(29, 1, marks=pytest.mark.gate)])
def test_each_failure_of_each_leg_ends_whole_or_flat_and_never_naked(capsys, every, of_cases):
    told, wrong = run(every, of_cases)
    with capsys.disabled():
        print(f"\n{told}")
    assert wrong == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("every", "of_cases"), [(60, 23), pytest.param(37, 3, marks=pytest.mark.gate)])
def test_a_protected_group_leaves_once_and_whole_whatever_its_exits_and_its_watcher_do(
    capsys, every, of_cases
):
    told, wrong = combined_grid.run(every, of_cases)
    with capsys.disabled():
        print(f"\n{told}")
    assert wrong == []
