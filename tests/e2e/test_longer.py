# SPDX-License-Identifier: MIT
"""Promises that must still hold after a while: longer than any grace period in the programs. All scenes wait together."""

import pytest

from expect import data
from stack import Stack
from waits import eventually

WHILE_MS = 8000  # a mailbox stays warm for five seconds after its last poll, and notes of it for one more


class Scenes:
    """Everything that is set up before the while, by the names of the tests."""

    def __init__(self, stack):
        self.stack = stack
        self.alone = stack.park("alone", after=0)
        self.superseding = self.supersede("superseding", WHILE_MS / 8)
        self.fighting = self.supersede("fighting", 0)
        self.remaining = self.one_leaves("remaining")
        self.answered = self.one_is_answered("answered")
        self.cursor = stack.pushed("up-to-date", "old")
        stack.look("up-to-date", after=self.cursor)
        self.up_to_date = stack.park("up-to-date", after=self.cursor)
        self.consuming = stack.park("consuming")
        stack.pushed("kept", "kept")
        stack.look("kept", client="away", after=0)
        self.foreign = stack.park("foreign", after="1-1")

    def supersede(self, user, parked_ms):
        older = self.stack.park(user, after=0)
        eventually(lambda: self.seen(user) >= parked_ms, "it has been parked for so long")
        newer = self.stack.send_poll(user, after=0)
        assert older.answer()["reason"] == "superseded"
        return newer

    def one_leaves(self, user):
        polls = [self.stack.park(user, beside=beside, client=client) for beside, client in enumerate(("stays", "leaves"))]
        polls[1].leave()
        return polls[0]

    def one_is_answered(self, user):
        stays = self.stack.park(user, client="stays")
        leaves = self.stack.park(user, beside=1, client="times-out", timeout=0.2)
        assert leaves.answer()["reason"] == "timeout"
        return stays

    def seen(self, user):
        return self.stack.mailbox(user)["clients"][0]["seen_ms_ago"]


@pytest.fixture(scope="module")
def later():
    stack = Stack(shared=True).start()
    scenes = Scenes(stack)
    eventually(lambda: scenes.seen("foreign") > WHILE_MS, "a while has passed")
    yield scenes
    stack.stop()


@pytest.mark.parametrize("scene", ["alone", "superseding", "fighting", "remaining", "answered", "up-to-date", "consuming", "foreign"])
def test_woken(later, scene):
    """a poll that has waited for a while is woken like a new one, whatever happened meanwhile"""
    poll = getattr(later, scene.replace("-", "_"))
    assert poll.waits()
    assert later.stack.push(scene, "hello").status == 201
    answer = poll.answer()
    assert data(answer) == ["hello"]
    assert answer["reset"] is (scene == "foreign")


def test_kept(later):
    """a client that stayed away for a while finds its messages"""
    assert data(later.stack.look("kept", client="away", after=0)) == ["kept"]
