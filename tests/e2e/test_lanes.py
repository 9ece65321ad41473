# SPDX-License-Identifier: MIT
"""Redis has fewer connections than there are lanes: every parked poll still gets its message."""

import json
import time

import exposition
from expect import data, is_accepted
from fcgi_peer import Peer
from waits import eventually

SOON = 5  # seconds, for every message


def metrics(stack):
    with Peer(stack.socket("poll")) as peer:
        return exposition.read(peer.exchange("GET", "/metrics").body.decode())


def park_all(stack, names, cursors):
    polls = [stack.send_poll(name, after=cursor) for name, cursor in zip(names, cursors)]
    eventually(lambda: metrics(stack)["letterbox_polls_parked"].value() == len(names), "all are parked", deadline=60)
    return polls


def everybody_hears(stack, names, polls, text):
    """Pushes to all. Returns the cursors of their polls' answers, each within `SOON`."""
    assert stack.push_json(json.dumps({"to": names, "data": text})).status in (201, 202)
    end = time.monotonic() + SOON
    answers = [poll.answer(max(end - time.monotonic(), 0.01)) for poll in polls]
    assert all(data(answer) == [text] for answer in answers)
    return [answer["cursor"] for answer in answers]


def test_fewer_connections_than_lanes(new_stack, users):
    """with room for 12 connections in Redis each of 800 polls gets its message within five seconds, and others can still log in"""
    stack = new_stack(workers=2, apart=1)
    connection = stack.redis
    connection.config_set("maxclients", 12)
    names = users(800)
    # Once while most lanes are still being refused, and once when that is over.
    cursors = everybody_hears(stack, names, park_all(stack, names, [0] * len(names)), "first")
    polls = park_all(stack, names, cursors)
    eventually(lambda: connection.info("clients")["connected_clients"] < 12, "room is left")
    assert stack.get("/readyz").status == 200
    stack.crash("push")
    eventually(lambda: is_accepted(stack.push(names[0] + "x", "works")), "the next one is let in")
    cursors = everybody_hears(stack, names, polls, "second")

    found = metrics(stack)
    assert found["letterbox_lanes_refused_total"].value() > 0
    assert 1 <= found["letterbox_lanes"].value() < 12
    log = (stack.dir / "log" / "poll.log").read_text()
    assert log.count("no more connections for lanes") == 1
    assert log.count(" warn: ") == 1, log
