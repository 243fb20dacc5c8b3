"""Who acts: made and read in one place, and whether it was a person is a question to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.actors import WEBHOOK, Actor, ActorKind, actor_of

WRITTEN = [
    (Actor(ActorKind.CLI, "ann"), "cli:ann", True),
    (Actor(ActorKind.CONSOLE, "ann"), "console:ann", True),
    (Actor(ActorKind.API, "a:b"), "api:a:b", True),
    (Actor(ActorKind.TELEGRAM, "11"), "telegram:11", True),
    (WEBHOOK, "webhook", False),
    (Actor(ActorKind.WATCHER, "host-1-ab12"), "host-1-ab12", False),
]


@pytest.mark.parametrize(("actor", "text", "by_hand"), WRITTEN)
def test_each_is_written_as_the_history_has_it_and_read_back(actor, text, by_hand):
    assert str(actor) == text
    assert actor_of(text) == actor
    assert actor.is_person is by_hand


@pytest.mark.parametrize("text", ["client:ann", "cli", "console", "CLI:ann", "watcher-1", "webhook:ann"])
def test_what_only_looks_like_a_door_is_no_person(text):
    assert not actor_of(text).is_person


@given(st.text(min_size=1, max_size=40))
def test_whatever_stands_in_the_history_is_written_back_as_it_was(text):
    assert str(actor_of(text)) == text
