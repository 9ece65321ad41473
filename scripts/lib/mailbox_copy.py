# SPDX-License-Identifier: MIT
"""Copies keys of Letterbox from one Redis into a cluster, and compares them there. For scripts/move-mailboxes.

A key of a user is copied as Redis has stored it, by DUMP and RESTORE. A group, and what there is once for all users, is divided among the
parts: what each should hold is compared with what it holds, and only the difference is written. So each copy may be repeated.
"""

from mailbox_keys import PARTS, DIVIDED, SLOT_OF_PART, part_of, user_of_entry, user_of_event, user_of_id
from resp import Error, Failed

LOT_KEYS = 500
LOT_BYTES = 8 << 20  # of values that are read at a time: a mailbox has up to 16 MiB
PAGE = 5000  # members of a sorted set that are read at a time
WORDS = 1000  # of one command that writes members
# Milliseconds. A key that expires as soon as this may have expired in one place and not yet in the other.
EXPIRES_SOON = 10_000

USER_OF = {"schedule": user_of_id, "unheard": user_of_entry, "events": user_of_event}


def each_is_fine(replies):
    for reply in replies:
        if isinstance(reply, Error):
            if "DUMP payload version" in str(reply):
                raise Failed("the cluster's Redis is older than that of the mailboxes, and can't read what it has stored")
            raise reply
    return replies


def lots(items, size):
    return [items[begin:begin + size] for begin in range(0, len(items), size)]


def pairs(flat):
    """MEMBER SCORE MEMBER SCORE …, or FIELD VALUE …"""
    return dict(zip(flat[::2], flat[1::2]))


def divided(entries, user_of):
    """Divides a dictionary, or a list, by the users of what is in it: {part: what is its}."""
    parts = {}
    if isinstance(entries, dict):
        for member, score in entries.items():
            parts.setdefault(part_of(user_of(member)), {})[member] = score
    else:
        for element in entries:
            parts.setdefault(part_of(user_of(element)), []).append(element)
    return parts


class Copy:
    def __init__(self, source, target, names):
        self.source = source  # a Connection
        self.target = target  # a Cluster
        self.names = names
        self.parts = {}  # group → the parts in which it has members in the cluster
        self.filled = {}  # table → the names of its parts in the cluster that hold something
        self.left = {}  # keys that can't be divided, and why
        self.knows_expiry_time = not isinstance(source.batch([("PEXPIRETIME", "letterbox")])[0], Error)  # since Redis 7

    # --- keys of one user

    def expiries(self, keys):
        """Until when each lives, in milliseconds since 1970; -1: for ever, or it is gone."""
        if self.knows_expiry_time:
            return [max(reply, -1) for reply in each_is_fine(self.source.batch([("PEXPIRETIME", key) for key in keys]))]
        replies = each_is_fine(self.source.batch([("TIME",), *(("PTTL", key) for key in keys)]))
        now = int(replies[0][0]) * 1000 + int(replies[0][1]) // 1000
        return [now + reply if reply >= 0 else -1 for reply in replies[1:]]

    def sized(self, found):
        """Lots of (key, its Key) whose values are not too long together."""
        lot, size = [], 0
        for one in lots(found, LOT_KEYS):
            for pair, length in zip(one, self.source.batch([("MEMORY", "USAGE", key) for key, _ in one])):
                length = length if isinstance(length, int) else 0
                if lot and (size + length > LOT_BYTES or len(lot) == LOT_KEYS):
                    yield lot
                    lot, size = [], 0
                lot.append(pair)
                size += length
        if lot:
            yield lot

    def whole(self, found):
        """Copies keys of users, with their expiries; what is gone is removed."""
        for lot in self.sized(found):
            keys = [key for key, _ in lot]
            values = each_is_fine(self.source.batch([("DUMP", key) for key in keys]))
            commands = []
            for (_, its), value, until in zip(lot, values, self.expiries(keys)):
                slot = SLOT_OF_PART[its.part]
                if value is None:
                    commands.append((slot, ("UNLINK", its.target)))
                else:
                    commands.append((slot, ("RESTORE", its.target, max(until, 0), value, "REPLACE", *(["ABSTTL"] if until >= 0 else []))))
            each_is_fine(self.target.batch(commands))

    def whole_that_differ(self, found):
        """The keys of users whose copies are not what they should be."""
        differ = []
        for lot in self.sized(found):
            ours = each_is_fine(self.source.batch([("DUMP", key) for key, _ in lot]))
            theirs = each_is_fine(self.target.batch([(SLOT_OF_PART[its.part], ("DUMP", its.target)) for _, its in lot]))
            for (key, its), mine, copied in zip(lot, ours, theirs):
                if mine != copied and not (mine and copied and self.holds_the_same(key, its)) and not self.expires_soon(key):
                    differ.append(key)
        return differ

    def holds_the_same(self, key, its):
        """Of values that Redis may store in several ways: of hashes and sets, the order is another one in each Redis."""
        read = {b"string": ("GET",), b"list": ("LRANGE", 0, -1), b"hash": ("HGETALL",), b"set": ("SMEMBERS",), b"zset": ("ZRANGE", 0, -1, "WITHSCORES")}
        put_in_order = {b"hash": pairs, b"set": set, b"zset": pairs}
        kind = self.source.call("TYPE", key)
        if kind not in read:
            return False
        verb, *rest = read[kind]
        mine = self.source.call(verb, key, *rest)
        copied, = self.target.batch([(SLOT_OF_PART[its.part], (verb, its.target, *rest))])
        if mine is None or isinstance(copied, Error):
            return False
        order = put_in_order.get(kind, lambda value: value)
        return order(mine) == order(copied)

    def expires_soon(self, key):
        """Or has just expired, or was removed."""
        left = self.source.call("PTTL", key)
        return left == -2 or 0 <= left < EXPIRES_SOON

    def copy_expires_soon(self, name):
        left, = self.target.batch([(self.names.slot_of(name), ("PTTL", name))])
        return left == -2 or 0 <= left < EXPIRES_SOON

    # --- what is divided among the parts

    def members(self, keys):
        """What sorted sets hold: {key: {member: score}}. One of another type is left, and not among them."""
        held, going_on = {key: {} for key in keys}, list(keys)
        first = 0
        while going_on:
            replies = self.source.batch([("ZRANGE", key, first, first + PAGE - 1, "WITHSCORES") for key in going_on])
            longer = []
            for key, reply in zip(going_on, replies):
                if isinstance(reply, Error):
                    self.leave(key, reply)
                    held.pop(key)
                    continue
                held[key].update(pairs(reply))
                if len(reply) == 2 * PAGE:
                    longer.append(key)
            going_on, first = longer, first + PAGE
        return held

    def leave(self, key, error):
        if not str(error).startswith("WRONGTYPE"):
            raise error
        self.left[key] = str(error)

    def groups(self, found, write=True):
        """Copies groups; the number of differences that there were. Afterwards the table `groups` must be settled too."""
        different = 0
        for lot in lots(found, 50):
            held = self.members([key for key, _ in lot])
            wanted, there = {}, []
            for key, its in lot:
                if key not in held:
                    continue
                parts = divided(held[key], lambda user: user)
                before = self.parts.get(its.name, frozenset())
                there += [(self.names.group(its.name, part), part) for part in before]
                wanted.update({(self.names.group(its.name, part), part): members for part, members in parts.items()})
                if write:
                    self.parts[its.name] = frozenset(parts)
            different += self.settle_zsets(wanted, there, None, write)
        return different

    def table(self, kind, write=True):
        """Copies what there is once for all users; the number of differences that there were."""
        key = self.names.divided(kind)
        every = [(self.names.shared(kind, part), part) for part in range(PARTS)]
        try:
            parts = self.contents(kind, key)
        except Error as error:
            self.leave(key, error)
            parts = {}
        wanted = {place: parts[place[1]] for place in every if parts.get(place[1])}
        self.filled[kind] = {name for name, _ in wanted}
        settle = {"groups-found": self.settle_strings, "events": self.settle_lists}.get(kind, self.settle_zsets)
        return settle(wanted, every, self.expiries([key])[0], write)

    def contents(self, kind, key):
        """What each part of a table holds: {part: value}."""
        if kind == "groups-found":
            return dict.fromkeys(range(PARTS), self.source.call("GET", key))
        if kind == "events":
            return divided(self.source.call("LRANGE", key, 0, -1), user_of_event)
        held = self.members([key]).get(key, {})
        if kind != "groups":
            return divided(held, USER_OF.get(kind, lambda user: user))
        parts = {}
        for group, score in held.items():
            for part in self.parts.get(group, ()):
                parts.setdefault(part, {})[group] = score
        return parts

    def settle_zsets(self, wanted, there, until, write):
        """Makes sorted sets hold what is wanted of each (name, part), and nothing if nothing is, of those that may be there.
        until: when all expire; None or -1: never. The number of differences that there were."""
        asked = list(dict.fromkeys(there))
        replies = each_is_fine(self.target.batch([(SLOT_OF_PART[part], ("ZRANGE", name, 0, -1, "WITHSCORES")) for name, part in asked]))
        held = {place: pairs(reply) for place, reply in zip(asked, replies)}
        commands, different = [], 0
        for place in {**dict.fromkeys(asked), **wanted}:
            (name, part), want, has = place, wanted.get(place, {}), held.get(place, {})
            added = [word for member, score in want.items() if has.get(member) != score for word in (score, member)]
            gone = [member for member in has if member not in want]
            different += len(added) // 2 + len(gone)
            slot = SLOT_OF_PART[part]
            commands += [(slot, ("ZREM", name, *words)) for words in lots(gone, WORDS)]
            commands += [(slot, ("ZADD", name, *words)) for words in lots(added, WORDS)]
            if want and until is not None:
                commands.append((slot, self.expiry(name, until)))
        if write:
            for lot in lots(commands, LOT_KEYS):
                each_is_fine(self.target.batch(lot))
        return different

    def settle_lists(self, wanted, there, until, write):
        replies = each_is_fine(self.target.batch([(SLOT_OF_PART[part], ("LRANGE", name, 0, -1)) for name, part in there]))
        commands, different = [], 0
        for place, has in zip(there, replies):
            (name, part), want = place, wanted.get(place, [])
            slot = SLOT_OF_PART[part]
            if want != has:
                different += 1
                commands += [(slot, ("DEL", name)), *((slot, ("RPUSH", name, *words)) for words in lots(want, WORDS))]
            if want:
                commands.append((slot, self.expiry(name, until)))
        if write:
            each_is_fine(self.target.batch(commands))
        return different

    def settle_strings(self, wanted, there, _, write):
        replies = each_is_fine(self.target.batch([(SLOT_OF_PART[part], ("GET", name)) for name, part in there]))
        commands = [(SLOT_OF_PART[place[1]], ("SET", place[0], wanted[place]) if place in wanted else ("DEL", place[0])) for place in there]
        if write:
            each_is_fine(self.target.batch(commands))
        return sum(reply != wanted.get(place) for place, reply in zip(there, replies))

    @staticmethod
    def expiry(name, until):
        return ("PEXPIREAT", name, until) if until >= 0 else ("PERSIST", name)

    # --- any keys

    @staticmethod
    def sort(found):
        """Of pairs of a key and its Key: those of users, and those of groups."""
        return [pair for pair in found if pair[1].part is not None], [pair for pair in found if pair[1].kind == "group"]

    def keys(self, found):
        """Copies users' keys and groups. The number that was copied."""
        whole, groups = self.sort(found)
        self.whole(whole)
        self.groups(groups)
        return len(whole) + len(groups)

    def tables(self):
        for kind in DIVIDED:
            self.table(kind)

    def differ(self, found):
        """Which of these users' keys and groups are not the same in the cluster."""
        whole, groups = self.sort(found)
        differ = self.whole_that_differ(whole)
        if groups and self.groups(groups, write=False):
            differ += [pair[0] for pair in groups if self.groups([pair], write=False)]
        return differ

    def tables_that_differ(self):
        return [self.names.divided(kind) for kind in DIVIDED if self.table(kind, write=False)]
