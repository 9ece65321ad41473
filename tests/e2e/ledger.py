# SPDX-License-Identifier: MIT
"""The books of a load: every push that was answered, every message that a client was given, and what of it broke a promise.

The promises are those of PROTOCOL.md. A push answered by 2xx is given to each client of its mailbox. Ids have no holes
and are in the order of the pushes; their numbers go on where Redis was started again, and their epoch is a later one. A client with a cursor gets what follows it, no more and no less, and the same again
until it comes back with a later cursor. One without is given everything at most once. A push that was answered by 5xx,
or not at all, is there once or not at all.
"""

from collections import Counter

from expect import epoch, seq


class Ledger:
    """Not for use by two threads."""

    def __init__(self):
        self.broken = []  # promises, in words
        self.sent = Counter()  # pushes by outcome: accepted, refused (an error was the answer), unknown (none was)
        self.errors = Counter()  # what was answered instead: "503 store_unavailable"
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
        if seq(id) <= box.last_of.get(pusher, 0):
            self.broken.append(f"{user}: {id} was pushed after {box.last_of[pusher]}, by the same pusher")
        box.last_of[pusher] = seq(id)

    def close(self, blows):
        """When all is said and done. `blows`: each may have cost a client without cursor one answer."""
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
    def lost_by_consumers(self):
        return sum(account.skipped for account in self.accounts)


class Mailbox:
    def __init__(self, user, broken):
        self.user = user
        self.broken = broken
        self.pushed = set()  # texts
        self.accepted = set()  # ids
        self.text_of = {}  # by seq
        self.seq_of = {}
        self.last_of = {}  # seq of a pusher's last
        self.newest = 0  # seq, as far as anybody has seen

    def identify(self, id, text):
        """A text was seen under an id, in a push's answer or a poll's."""
        if text not in self.pushed:
            self.broken.append(f"{self.user}: nobody has pushed {text[:40]!r}, which came as {id}")
        if self.text_of.setdefault(seq(id), text) != text:
            self.broken.append(f"{self.user}: {id} is {text[:40]!r}, and was {self.text_of[seq(id)][:40]!r}")
        if self.seq_of.setdefault(text, seq(id)) != seq(id):
            self.broken.append(f"{self.user}: {text[:40]!r} came as {id} and as {self.seq_of[text]}")
        self.newest = max(self.newest, seq(id))


class Account:
    """What one client was given."""

    def __init__(self, mailbox, client, by_cursor):
        self.mailbox = mailbox
        self.who = f"{mailbox.user} {client}"
        self.by_cursor = by_cursor
        self.cursor = "0"  # the last that it keeps: what its next poll acknowledges
        self.shown = 0  # seq of the last that it was ever given
        self.delivered = 0
        self.again = 0
        self.gaps = 0
        self.skipped = 0
        self.lost_answers = 0  # polls that it got no answer to, or did not read to the end

    def breaks(self, what):
        self.mailbox.broken.append(f"{self.who}: {what}")

    def given(self, answer, keeps=True):
        """A whole answer to a poll with this account's cursor. Unless it is kept the next poll asks with the same."""
        asked, messages = self.cursor, answer["messages"]
        numbers = [seq(message["id"]) for message in messages]
        if answer["missed"] or answer["reset"] or answer["count"] != len(messages):
            self.breaks(f"after {asked} missed {answer['missed']}, reset {answer['reset']}, count {answer['count']} of {len(messages)}")
        if any(asked != "0" and epoch(message["id"]) < epoch(asked) for message in messages):
            self.breaks(f"after {asked} an id of an earlier epoch: {messages[0]['id']}")
        for message in messages:
            self.mailbox.identify(message["id"], message["data"])
        if numbers:
            self.follows(seq(asked) if self.by_cursor else self.shown, numbers)
            if answer["cursor"] != messages[-1]["id"]:
                self.breaks(f"the cursor {answer['cursor']} after {messages[-1]['id']}")
        elif self.by_cursor and seq(answer["cursor"]) != seq(asked):
            self.breaks(f"the cursor {answer['cursor']} after {asked} and nothing")
        self.delivered += len(numbers)
        self.again += sum(number <= self.shown for number in numbers)
        self.shown = max([self.shown, *numbers])
        if keeps or not self.by_cursor:
            self.cursor = answer["cursor"]

    def follows(self, last, numbers):
        """These must be the ones behind `last`; where the server keeps the cursor, later ones behind a lost answer."""
        first = numbers[0]
        if numbers != list(range(first, first + len(numbers))):
            self.breaks(f"not in order, or with holes: {numbers}")
        if not self.by_cursor and first > last + 1:
            self.gaps += 1
            self.skipped += first - last - 1
        elif first != last + 1:
            self.breaks(f"{first} came after {last}")

    def close(self, blows):
        box = self.mailbox
        if self.by_cursor:
            unseen = sorted((id for id in box.accepted if seq(id) > self.shown), key=seq)
            if unseen:
                self.breaks(f"never got {unseen[:5]}, which was accepted")
            if seq(self.cursor) != box.newest:
                self.breaks(f"ends at {self.cursor}, the mailbox at {box.newest}")
        elif self.shown < box.newest:
            self.gaps += 1
            self.skipped += box.newest - self.shown
        if self.gaps > self.lost_answers + blows:
            self.breaks(f"{self.gaps} gaps, though it lost {self.lost_answers} answers, and there were {blows} blows")
