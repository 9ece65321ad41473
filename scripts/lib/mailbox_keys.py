# SPDX-License-Identifier: MIT
"""The names of Letterbox' keys in one Redis, and in a cluster: lib/mailbox/KEYS.md. For scripts/move-mailboxes.

In a cluster all that belongs to a user is in one of 128 parts, each in one slot: `mailbox:{alice}` is `mailbox:{17}alice` there. What
there is once for all users is there once a part, for the users of that part: `letterbox:online` is `letterbox:online:{17}` and so on.
"""

import re

from resp import SLOTS, crc16

PARTS = 128

# Of a user alone: the same value under another name. `pushed` has the hash of a push behind the user.
OF_USERS = ("mailbox", "unacked", "base", "clients", "collapse", "presence", "tokens", "standing", "groups", "scheduled", "pushed")
# Divided among the parts by the users that are named in them.
DIVIDED = ("online", "names", "events", "schedule", "unheard", "groups", "groups-found")
# They begin again in the cluster. An address, `ready` and the sweeper are of programs that run; notices are for what such programs keep in
# mind, and a program that has just begun keeps nothing. A reign begins with the first login to a master, later than all mailboxes that
# were made before it, whose ids then go on in a new epoch: so no id is given twice, even if the copy lacked something.
NOT_COPIED = ("address:", "ready:", "sweeper", "reign", "notices", "notice-count")


def part_of(name):
    """Of a user, or of an idempotency key's hash."""
    return crc16(name) % PARTS


SLOT_OF_PART = [crc16(b"%d" % part) % SLOTS for part in range(PARTS)]


def user_of_event(element):
    return element.rpartition(b" ")[2]  # `online TIME USER`


def user_of_id(member):
    return member[:-17]  # `USER.` and 16 digits


def user_of_entry(member):
    return member.partition(b" ")[0]  # `USER EPOCH-SEQ TRIES`


class Key:
    """A name of one Redis: its kind, and where it goes. `part` is None if it is divided among all parts."""

    def __init__(self, kind, part=None, target=None, name=None):
        self.kind = kind
        self.part = part
        self.target = target  # the name in the cluster
        self.name = name  # of a group


class Names:
    """All names with a prefix."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.of_one = re.compile(re.escape(prefix) + rb"([a-z]+):\{([^{}]+)\}(|:.+)", re.S)
        self.of_cluster = re.compile(re.escape(prefix) + rb"([a-z:-]+):\{(\d{1,3})\}(.*)", re.S)

    def prefixes(self):
        """What the keys of one Redis begin with that are copied, but those that are divided for all users."""
        return [self.prefix + b"%s:{" % kind.encode() for kind in (*OF_USERS, "group")] + [self.prefix + b"letterbox:idempotency:"]

    def divided(self, kind):
        return self.prefix + b"letterbox:" + kind.encode()

    def shared(self, kind, part):
        return self.prefix + b"letterbox:%s:{%d}" % (kind.encode(), part)

    def group(self, name, part):
        return self.prefix + b"group:{%d}%s" % (part, name)

    def slot_of(self, key):
        """Of a key of the cluster."""
        return SLOT_OF_PART[int(self.of_cluster.fullmatch(key)[2])]

    def look(self, key):
        """What a key of one Redis is. The kind is `not copied`, or `other` if it is none of Letterbox' keys."""
        if not key.startswith(self.prefix):
            return Key("other")
        match = self.of_one.fullmatch(key)
        if match:
            kind, name, rest = match[1].decode(), match[2], match[3]
            if kind == "group" and not rest:
                return Key("group", name=name)
            if kind in OF_USERS and bool(rest) == (kind == "pushed"):
                part = part_of(name)
                return Key(kind, part, self.prefix + b"%s:{%d}%s%s" % (match[1], part, name, rest))
            return Key("other")
        begin = self.prefix + b"letterbox:"
        if not key.startswith(begin):
            return Key("other")
        rest = key[len(begin):]
        if rest.startswith(b"idempotency:"):
            name = rest[len(b"idempotency:"):]
            part = part_of(name)
            return Key("idempotency", part, begin + b"idempotency:{%d}%s" % (part, name))
        text = rest.decode(errors="replace")
        if text in DIVIDED:
            return Key(text)
        return Key("not copied" if text.startswith(NOT_COPIED) else "other")

    def is_ours(self, key):
        """Whether a key of the cluster is of a kind that is copied."""
        match = self.of_cluster.fullmatch(key)
        if not match or int(match[2]) >= PARTS:
            return False
        kind = match[1].decode()
        if kind.startswith("letterbox:"):
            return kind[len("letterbox:"):] in (*DIVIDED, "idempotency")
        return kind in (*OF_USERS, "group")
