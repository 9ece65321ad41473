# SPDX-License-Identifier: MIT
"""A stream of Server-Sent Events as a client that adds nothing of its own sees it: one connection, read event by event."""

import json
import time

import contract
from web import DEADLINE, Closed, Connection, parse_head, target


class Event:
    """One event of a stream: its fields, of which `data` is joined as a browser does it."""

    def __init__(self, block):
        lines = [line.partition(":") for line in block.split("\n")]
        self.comments = sum(name == "" for name, _, _ in lines)  # lines of comment that came before it
        fields = [(name, value.removeprefix(" ")) for name, _, value in lines if name]
        values = dict(fields)
        self.id = values.get("id")
        self.type = values.get("event")
        self.retry = int(values["retry"]) if "retry" in values else None
        self.data = "\n".join(value for name, value in fields if name == "data") if "data" in values else None

    @property
    def json(self):
        return json.loads(self.data)

    def __repr__(self):
        return f"<Event {vars(self)}>"


class Stream(Connection):
    """GET /events, begun: its status and headers are there."""

    def __init__(self, face, user, headers=(), **query):
        super().__init__(face.port)
        self.text = b""  # bytes that are no whole event yet
        self.ended = False
        self.seen = []  # all events
        self.where = target("/events", user=user, **query)
        self.request("GET", self.where, [("Accept", "text/event-stream"), *headers])
        self.asked.pop()
        self.status, self.headers = parse_head(self._until(b"\r\n\r\n", time.monotonic() + DEADLINE))

    def header(self, name):
        return dict(self.headers).get(name.lower())

    def next(self, deadline=DEADLINE):
        """The next event, whatever it is; None at the end of the stream."""
        end = time.monotonic() + deadline
        while b"\n\n" not in self.text:
            if self.ended:
                assert not self.text, f"cut in an event: {self.text!r}"
                return None
            size = int(self._until(b"\r\n", end), 16)
            self.text += self._exactly(size, end)
            assert self._exactly(2, end) == b"\r\n"
            self.ended = size == 0
        block, _, self.text = self.text.partition(b"\n\n")
        contract.hold_event(self.where, block.decode("utf-8"))
        self.seen.append(Event(block.decode("utf-8")))
        return self.seen[-1]

    def event(self, deadline=DEADLINE):
        """The next event, without those that only say the stream's position."""
        while True:
            event = self.next(deadline)
            assert event is not None, f"the stream has ended: {self.seen}"
            assert event.data is not None, f"no parser would take this for an event: {event}"
            if event.type != "letterbox.position":
                return event

    def messages(self, count):
        """The `data` of the next `count` messages, which must come."""
        events = [self.event() for _ in range(count)]
        for event in events:
            assert event.id == event.json["id"], event
        return [event.json["data"] for event in events]

    def end(self):
        """How the stream ends: what its last event says."""
        while True:
            event = self.event()
            if event.type == "letterbox.end":
                assert self.next() is None
                assert event.json["retry_after_ms"] == self.retry
                return event.json["reason"]

    @property
    def retry(self):
        """The ms after which its client comes back."""
        return [event.retry for event in self.seen if event.retry is not None][-1]

    @property
    def position(self):
        """The id with which its client comes back."""
        return [event.id for event in self.seen if event.id is not None][-1]

    def is_cut(self):
        """Reads to an end that nothing announced."""
        try:
            while self.next() is not None:
                pass
        except (Closed, ConnectionError):
            pass
        return all(event.type != "letterbox.end" for event in self.seen)


def stand(face, user, beside=0, headers=(), **query):
    """A stream that is parked, in addition to `beside` other polls and streams of this user."""
    face.has_polls(user, beside)
    stream = Stream(face, user, headers, **query)
    assert stream.status == 200, stream.headers
    face.has_polls(user, beside + 1)
    return stream
