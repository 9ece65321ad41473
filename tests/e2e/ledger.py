# SPDX-License-Identifier: MIT
"""The books of a load: every push that was answered, every message that a client was given, and every broken promise.

The promises are those of PROTOCOL.md. A push answered by 2xx is given to each client of its mailbox. Ids have no gaps and are in
the order of the pushes; their numbers go on if Redis was started again, and their epoch is a later one. A client with a cursor
gets exactly the messages after it, and the same again until it comes back with a later cursor. A client without one is given
every message at most once. A push that was answered by 5xx, or not at all, is there once or not at all. Only messages that a
back end has withdrawn may be left out, and each answer says how many: the number of its cursor less that of the one before is
`count` + `missed` + `collapsed`.

A replica that becomes the master may lack what was pushed last. None of that was accepted, if Letterbox waits for replicas
(--redis-replicas). Some clients may have been given it before. The new master gives the same numbers to other messages, in
a later epoch, and a client that has a cursor of the dead end gets all of those.
"""

from collections import Counter

from expect import epoch, seq


def place(id):
    """For comparisons: of two ids of a mailbox, the later one is the greater."""
    return epoch(id) if "-" in id else 0, seq(id)


class Ledger:
    """Not for use by two threads."""

    def __init__(self):
        self.broken = []  # promises, in words
        self.sent = Counter()  # pushes by outcome: accepted, refused (an error was the answer), unknown (none was)
        self.errors = Counter()  # the answers that were errors: "503 store_unavailable"
        self.accounts = []
        self.mailboxes = {}

    def mailbox(self, user):
        if user not in self.mailboxes:
            self.mailboxes[user] = Mailbox(user, self.broken)
        return self.mailboxes[user]

    def account(self, user, client, by_cursor):
        """A page for a client."""
        self.accounts.append(Account(self.mailbox(user), client, by_cursor))
        return self.accounts[-1]

    def sends(self, user, text):
        """A push is about to be sent. Texts are all different."""
        self.mailbox(user).pushed.add(text)

    def accepted(self, user, text, id, pusher):
        """It was answered by 2xx. Each pusher waits for that before it sends its next."""
        self.sent["accepted"] += 1
        box = self.mailbox(user)
        box.identify(id, text)
        box.accepted.add(id)
        if seq(id) <= seq(box.last_of.get(pusher, "0")):
            self.broken.append(f"{user}: {id} was pushed after {box.last_of[pusher]}, by the same pusher")
        box.last_of[pusher] = id

    def withdraws(self, user, id):
        """A message is about to be retracted, or replaced: from now on it may be left out."""
        self.sent["withdrawn"] += 1
        self.mailbox(user).withdrawn.add(id)

    def close(self, blows):
        """At the end. `blows`: each may have cost a client without cursor one answer."""
        for box in self.mailboxes.values():
            left_out = sorted((id for id in box.accepted - box.withdrawn if seq(id) in box.left_out), key=place)
            if left_out:
                self.broken.append(f"{box.user}: {left_out[:5]} were said to be collapsed, and nobody has withdrawn them")
        for account in self.accounts:
            account.close(blows)

    @property
    def delivered(self):
        return sum(account.delivered for account in self.accounts)

    @property
    def again(self):
        """Messages given once more to clients that had not acknowledged them."""
        return sum(account.again for account in self.accounts)

    @property
    def collapsed(self):
        return sum(account.collapsed for account in self.accounts)

    @property
    def lost_by_consumers(self):
        return sum(account.skipped for account in self.accounts)


class Mailbox:
    def __init__(self, user, broken):
        self.user = user
        self.broken = broken
        self.pushed = set()  # texts
        self.accepted = set()  # ids
        self.withdrawn = set()  # ids
        self.left_out = set()  # seqs that an answer passed over, and counted as collapsed
        self.text_of = {}  # by id
        self.id_of = {}
        self.last_of = {}  # a pusher's last id
        self.newest = "0"  # id, as far as any answer has shown

    def identify(self, id, text):
        """A text was seen under an id, in a push's answer or a poll's."""
        if text not in self.pushed:
            self.broken.append(f"{self.user}: nobody has pushed {text[:40]!r}, which came as {id}")
        if self.text_of.setdefault(id, text) != text:
            self.broken.append(f"{self.user}: {id} is {text[:40]!r}, and was {self.text_of[id][:40]!r}")
        if self.id_of.setdefault(text, id) != id:
            self.broken.append(f"{self.user}: {text[:40]!r} came as {id} and as {self.id_of[text]}")
        self.newest = max(self.newest, id, key=place)


class Account:
    """The messages that one client was given."""

    def __init__(self, mailbox, client, by_cursor):
        self.mailbox = mailbox
        self.who = f"{mailbox.user} {client}"
        self.by_cursor = by_cursor
        self.cursor = "0"  # the last that it keeps: what its next poll acknowledges
        self.shown = "0"  # the last that it was ever given
        self.had = set()  # ids
        self.delivered = 0
        self.again = 0
        self.collapsed = 0
        self.gaps = 0
        self.skipped = 0
        self.lost_answers = 0  # polls without an answer, or whose answer it did not read to the end

    def breaks(self, what):
        self.mailbox.broken.append(f"{self.who}: {what}")

    def given(self, answer, keeps=True):
        """A whole answer to a poll with this account's cursor. Unless it is kept the next poll has the same cursor."""
        asked, messages = self.cursor, answer["messages"]
        numbers = [seq(message["id"]) for message in messages]
        if answer["missed"] or answer["reset"] or answer["count"] != len(messages):
            self.breaks(f"after {asked} missed {answer['missed']}, reset {answer['reset']}, count {answer['count']} of {len(messages)}")
        if any(place(message["id"]) <= place(asked) for message in messages):
            self.breaks(f"after {asked} an earlier id: {messages[0]['id']}")
        for message in messages:
            self.mailbox.identify(message["id"], message["data"])
        if numbers != sorted(set(numbers)) or (numbers and numbers[-1] > seq(answer["cursor"])):
            self.breaks(f"not in order: {numbers}, and the cursor {answer['cursor']}")
        ids = {message["id"] for message in messages}
        if self.by_cursor:
            self.follows(asked, numbers, answer)
        elif numbers:
            self.goes_on(numbers, answer)
        self.delivered += len(numbers)
        self.collapsed += answer["collapsed"]
        self.again += len(ids & self.had)
        self.had |= ids
        self.shown = max([self.shown, *ids], key=place)
        if keeps or not self.by_cursor:
            self.cursor = answer["cursor"]

    def follows(self, asked, numbers, answer):
        """These must be the ones behind the cursor `asked`, but for those that the answer says were collapsed."""
        cursor = answer["cursor"]
        begin = seq(cursor) - answer["count"] - answer["collapsed"]
        left_out = set(range(begin + 1, seq(cursor) + 1)) - set(numbers)
        goes_back = place(cursor)[0] > place(asked)[0] and 0 <= begin < seq(asked)
        if (begin != seq(asked) and not goes_back) or len(left_out) != answer["collapsed"] or place(cursor) < place(asked):
            self.breaks(f"after {asked} came {numbers}, the cursor {cursor}, and {answer['collapsed']} collapsed")
        dead = sorted((id for id in self.mailbox.accepted if begin < seq(id) and place(id) <= place(asked)), key=place)
        if dead:
            self.breaks(f"{dead[:5]} were accepted, and after {asked} came {numbers} in a later epoch")
        self.mailbox.left_out |= left_out

    def goes_on(self, numbers, answer):
        """Where the server keeps the cursor these are the next ones, or later ones behind a lost answer."""
        between = set(range(numbers[0], numbers[-1] + 1)) - set(numbers)
        self.mailbox.left_out |= between
        if len(between) > answer["collapsed"]:
            self.breaks(f"after {self.shown} came {numbers}, and {answer['collapsed']} collapsed")
        lost = set(range(seq(self.shown) + 1, numbers[0])) - {seq(id) for id in self.mailbox.withdrawn}
        if lost:
            self.gaps += 1
            self.skipped += len(lost)

    def close(self, blows):
        box = self.mailbox
        if self.by_cursor:
            unseen = sorted(box.accepted - box.withdrawn - self.had, key=place)
            if unseen:
                self.breaks(f"never got {unseen[:5]}, which was accepted")
            if place(self.cursor) != place(box.newest):
                self.breaks(f"ends at {self.cursor}, the mailbox at {box.newest}")
        elif place(self.shown) < place(box.newest):
            self.gaps += 1
            self.skipped += max(0, seq(box.newest) - seq(self.shown))
        if self.gaps > self.lost_answers + blows:
            self.breaks(f"{self.gaps} gaps, though it lost {self.lost_answers} answers, and there were {blows} blows")
