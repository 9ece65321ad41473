# SPDX-License-Identifier: MIT
"""Letterbox for back ends in Python 3.9 or later: one file, the standard library alone.

    from letterbox import Letterbox, LetterboxError

    letterbox = Letterbox("http://127.0.0.1:8080")          # one for the whole program: threads may share it
    token = letterbox.issue_token("alice", ttl=3600)["token"]   # for Alice's page: new Letterbox({ token })
    letterbox.push("alice", {"from": "bob", "subject": "Lunch?"}, type="mail")

    for message in letterbox.poll(user="jobs", client="worker-1"):   # waits for as long as it takes
        work(message.type, message.data)                             # asking for the next one acknowledges this one

A request that fails for the moment (no answer, 429, 500, 502, 503, 504) is repeated by itself, with back-off and not
before the server wants it, for `retry_for` seconds. A push can be repeated because each one has an Idempotency-Key:
the server carries it out once, even if an answer was lost. What fails for good raises a TerminalError.

Answers are dictionaries with the fields that fcgi/PROTOCOL.md describes.
"""

from __future__ import annotations

import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import secrets
import socket
import ssl
import threading
import time
import weakref
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Union
from urllib.parse import urlencode, urlsplit

__all__ = ["Letterbox", "Message", "Poll", "LetterboxError", "TerminalError", "BadRequest", "Unauthorized", "Forbidden", "Conflict",
           "TooLarge", "TemporaryError", "TooMany", "Unavailable", "NoAnswer", "NotAll", "sign_token"]
__version__ = "0.2.0"

Json = Dict[str, Any]
Token = Union[str, Callable[[bool], str]]


# --- errors ---------------------------------------------------------------------------

class LetterboxError(Exception):
    """Any failure of a request to Letterbox.

    code            what went wrong, one word of the list in PROTOCOL.md; `no_answer`, or `not_letterbox` if what
                    answered does not speak as Letterbox does
    status          the HTTP status, 0 if there was no answer
    terminal        true: the same request will fail again
    retry_after_ms  the server's wish for the time before the next attempt
    """

    def __init__(self, code: str, message: str, status: int = 0, terminal: bool = True, retry_after_ms: int = 0):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.terminal = terminal
        self.retry_after_ms = retry_after_ms


class TerminalError(LetterboxError):
    """The same request will fail again: something has to be changed first."""


class BadRequest(TerminalError):
    """400 and other refusals of what was asked: a bad name, type, time, body; a route that is not there."""


class Unauthorized(TerminalError):
    """401: the key is missing or wrong (`bad_key`), or the token is not good (`bad_token`, `no_identity`)."""


class Forbidden(TerminalError):
    """403: `kicked`, `locked`, `wrong_scope`, `forwarded`, and others."""


class Conflict(TerminalError):
    """409: `key_reused`, `group_full`, `schedule_full`, `broken_data`."""


class TooLarge(TerminalError):
    """413: the body, or a message times the members of a group, is larger than the server takes."""


class TemporaryError(LetterboxError):
    """The same request may succeed later. It has been repeated for `retry_for` seconds."""


class TooMany(TemporaryError):
    """429: too many requests, or clients, at the moment."""


class Unavailable(TemporaryError):
    """500, 502, 503, 504: Letterbox, or Redis behind it, is away or full."""


class NoAnswer(TemporaryError):
    """No connection, no answer in time, or half an answer. Whether the request was carried out is not known."""


class NotAll(LetterboxError):
    """A push to several recipients has reached some of them only. `results` has an entry for each recipient, or for those that
    failed if it went to a group or to `*`: its `to`, and its `error` if it has failed. `code` is that of the first failure,
    `terminal` is true if no failure is temporary, and `status` is 207."""

    def __init__(self, results: List[Json], failed: int):
        errors = [result["error"] for result in results if "error" in result]
        first = errors[0] if errors else {"code": "not_all", "message": "the server does not say why"}
        super().__init__(first["code"], f"{failed} recipients did not get it; the first: {first['message']}", 207,
                         all(error.get("terminal", True) for error in errors), max((error.get("retry_after_ms", 0) for error in errors), default=0))
        self.results = results
        self.failed = failed


_REFUSALS = {401: Unauthorized, 403: Forbidden, 409: Conflict, 413: TooLarge}


def _error_of(status: int, content: bytes) -> LetterboxError:
    """The error that an answer is. One without Letterbox's JSON comes from a proxy on the way, or from another server."""
    temporary = status in (408, 429) or status >= 500
    try:
        said = json.loads(content)["error"]
        code, message, terminal, after = str(said["code"]), str(said["message"]), said["terminal"] is True, int(said["retry_after_ms"])
    except (ValueError, KeyError, TypeError):
        code, message, terminal, after = "not_letterbox", f"status {status}, and no JSON of Letterbox", not temporary, 0
    if terminal:
        return _REFUSALS.get(status, BadRequest)(code, message, status)
    return (TooMany if status == 429 else Unavailable)(code, message, status, False, after)


# --- connections ----------------------------------------------------------------------

class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self.path)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class _Pool:
    """Connections to one server that wait for their next request. Any thread; a forked process begins with none."""

    def __init__(self, url: str, context: Optional[ssl.SSLContext]):
        self._lock = threading.Lock()
        self._idle: List[http.client.HTTPConnection] = []
        self._process = os.getpid()
        self._context = context
        if url.startswith("unix:"):
            self._scheme, self._address, self.prefix = "unix", url[len("unix:"):], ""
            if not self._address:
                raise ValueError("unix: needs the path of a socket")
            return
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not the address of a server: {url!r}; http://HOST:PORT, https://HOST or unix:/PATH")
        if parts.username is not None or parts.password is not None:
            raise ValueError("the address has a user or a password in it: a key goes into `key`")
        self._scheme, self._host, self._port, self.prefix = parts.scheme, parts.hostname, parts.port, parts.path.rstrip("/")

    def take(self, timeout: float) -> "tuple[http.client.HTTPConnection, bool]":
        """A connection, and whether it has been used before."""
        with self._lock:
            self._forget_parents()
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            return self._new(timeout), False
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection, True

    def put(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            self._forget_parents()
            if len(self._idle) < 32:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _forget_parents(self) -> None:
        # After a fork two processes would read the answers of one connection.
        if self._process != os.getpid():
            self._process = os.getpid()
            for connection in self._idle:
                connection.close()
            self._idle = []

    def _new(self, timeout: float) -> http.client.HTTPConnection:
        if self._scheme == "unix":
            return _UnixConnection(self._address, timeout)
        if self._scheme == "https":
            return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._context or ssl.create_default_context())
        return http.client.HTTPConnection(self._host, self._port, timeout=timeout)


def _backoff(failures: int) -> float:
    """Seconds before the next attempt, if the server has no wish: doubling from 0.1 s to 15 s, with jitter, so that clients
    which failed together do not return together."""
    return min(15.0, 0.1 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)


# --- names and texts ------------------------------------------------------------------

def _names(names: Union[str, Iterable[str]], what: str) -> List[str]:
    found = [names] if isinstance(names, str) else list(names)
    if not found:
        raise ValueError(f"{what}: nobody is named")
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"{what}: a name is a string, not {name!r}")
    return found


def _in_path(name: str, what: str) -> str:
    """A name as a part of a path, in which no other characters can be, and in which a server takes `.` and `..` for folders."""
    if not isinstance(name, str):
        raise TypeError(f"{what}: a name is a string, not {name!r}")
    if not re.fullmatch(r"[A-Za-z0-9._@:+-]{1,128}", name) or name in (".", ".."):
        raise ValueError(f"{what}: a name is 1 to 128 of A-Z a-z 0-9 . _ - @ : +, not {name!r}")
    return name


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _with(**fields: Any) -> Json:
    """The fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def _whole(results: List[Json], failed: Optional[int] = None) -> None:
    failed = sum("error" in result for result in results) if failed is None else failed
    if failed:
        raise NotAll(results, failed)


def sign_token(user: str, secret: Union[str, bytes], ttl: float = 3600, **claims: Any) -> str:
    """A signed token (a JSON Web Token by HS256), made without asking Letterbox; letterbox-poll --jwt-key names a file with the
    same secret of 32 bytes or more. `ttl` is its life in seconds. claims: more of them, such as aud="letterbox"."""
    key = secret.encode() if isinstance(secret, str) else secret
    if len(key) < 32:
        raise ValueError("the secret needs 32 bytes or more")
    if not isinstance(user, str) or not user:
        raise ValueError("a token needs a user")
    if not ttl > 0:
        raise ValueError("ttl is a number of seconds above 0")

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    now = time.time()
    text = part(_json({"alg": "HS256", "typ": "JWT"})) + "." + part(_json({"sub": user, "iat": int(now), "exp": int(now + ttl), **claims}))
    return text + "." + part(hmac.new(key, text.encode(), hashlib.sha256).digest())


# --- the client -----------------------------------------------------------------------

class Letterbox:
    """Letterbox at one address. Threads may share one; connections are kept and used again.

    url        http://HOST:PORT, https://HOST, or unix:/PATH; default: $LETTERBOX_URL, else http://127.0.0.1:8080
    key        the key of the private face (--key-file); default: the first line of the file $LETTERBOX_KEY_FILE, if that is set
    timeout    how long the server may be silent, in seconds, before a request has failed
    retry_for  for how many seconds a request that fails for the moment is repeated (0 to 600); 0: never
    on_retry   called with the error and the seconds until the next attempt, before each repetition: for a log
    context    an ssl.SSLContext, if the default one is not right for https://
    """

    def __init__(self, url: Optional[str] = None, key: Optional[str] = None, *, timeout: float = 10, retry_for: float = 15,
                 on_retry: Optional[Callable[[LetterboxError, float], None]] = None, context: Optional[ssl.SSLContext] = None):
        if not timeout > 0 or not 0 <= retry_for <= 600:
            raise ValueError("timeout is above 0 seconds, and retry_for 0 to 600: so long the server knows an Idempotency-Key")
        if key is None and os.environ.get("LETTERBOX_KEY_FILE"):
            with open(os.environ["LETTERBOX_KEY_FILE"], encoding="ascii") as file:
                key = file.readline().strip()
            if " " in key:  # NAME:KEY SCOPES
                key = key.split()[0].partition(":")[2]
        if key is not None and not re.fullmatch(r"[!-~]+", key):
            raise ValueError("a key is printable ASCII without blanks")
        self._pool = _Pool(url if url is not None else os.environ.get("LETTERBOX_URL") or "http://127.0.0.1:8080", context)
        self._key = key
        self._timeout = timeout
        self._retry_for = retry_for
        self._on_retry = on_retry
        weakref.finalize(self, self._pool.close)

    def __enter__(self) -> "Letterbox":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections that are kept. The next request opens a new one."""
        self._pool.close()

    # --- messages

    def push(self, to: Union[str, Iterable[str]], data: Any = None, *, type: Optional[str] = None, ttl: Optional[float] = None,
             collapse: Optional[str] = None, delay: Optional[float] = None, at: Optional[int] = None, idempotency_key: Optional[str] = None) -> Json:
        """Pushes a message: `data` is anything that JSON can hold. When this returns, Redis has it.

        to               a user, a list of users, `group:NAME`, or `*`: everybody who is online
        type             for the recipient to dispatch by (`message`)
        ttl              seconds after which it is not delivered any more
        collapse         replaces what is still unread under this word
        delay, at        not now, but after this many seconds, or at this time in milliseconds since 1970
        idempotency_key  makes one push of all that have it, also of other processes, for ten minutes: for a task that is itself
                         repeated. Without it each call is a push of its own, and is repeated safely too.

        The answer for one user is {"id", "queued", "waiting"}, or {"scheduled", "at"}; for a list {"results": [...]}; with a group
        or `*` {"count", "accepted", "waiting", "failed", "results"}. Raises NotAll if not every recipient has got it.
        """
        recipients: Any = _names(to, "to")
        envelope = _with(to=recipients[0] if isinstance(to, str) else recipients, type=type, data=data, ttl=ttl, collapse=collapse, delay=delay, at=at)
        answer = self._push(envelope, idempotency_key)
        if "results" in answer:
            _whole(answer["results"], answer.get("failed"))
        return answer

    def push_many(self, messages: Iterable[Json], *, idempotency_key: Optional[str] = None) -> List[Json]:
        """Pushes many messages to users in few requests: each is {"to": …, "data": …} and what else push() takes. Returns an entry for each
        recipient, in order: {"to", "id", "queued", "waiting"} or {"to", "scheduled", "at"}.

        Any number of messages may be given; they go to the server in portions, in this order. Raises NotAll if some were not taken: its
        `results` says which. Groups and `*` have too many recipients for this: push() tells them."""
        key = self._fresh(idempotency_key)
        results: List[Json] = []
        gone: Optional[LetterboxError] = None
        end = time.monotonic() + self._retry_for
        for number, portion in enumerate(_portions(messages)):
            names = [name for envelope in portion for name in _names(envelope["to"], "to")]
            if gone is None:
                try:
                    # The number makes another key of it, which is as long as the key allows.
                    results += self._push(portion, key if number == 0 else hashlib.sha256(f"{key} {number}".encode()).hexdigest(), end)["results"]
                    continue
                except LetterboxError as error:
                    gone = error
            failure = {"code": gone.code, "message": gone.message, "terminal": gone.terminal, "retry_after_ms": gone.retry_after_ms}
            results += [{"to": name, "error": failure} for name in names]
        _whole(results)
        return results

    def scheduled(self, user: str) -> Iterator[Json]:
        """The messages that wait for their time, by time: {"id", "at", "type", "data"}."""
        return self._each("/scheduled", "scheduled", user=user)

    def cancel(self, scheduled: str) -> bool:
        """Cancels a message that waits for its time, by the id in `scheduled`. False: it is not there any more."""
        return self._ask("DELETE", "/scheduled", {"id": scheduled})["cancelled"]

    def mailbox(self, user: str) -> Json:
        """What is in a mailbox, without its messages: {"user", "queued", "oldest", "newest", "polls", "clients", "cursor"}. A page that
        polls after this `cursor` gets exactly what is pushed from now on: read it before the state that you print into the page."""
        return self._ask("GET", "/mailbox", {"user": user})

    def peek(self, user: str, *, after: Optional[str] = None, limit: int = 100) -> List["Message"]:
        """The messages that are kept, oldest first, at most `limit`. Nothing is acknowledged."""
        answer = self._ask("GET", "/mailbox", _with(user=user, limit=limit, after=after))
        return [Message.of(message) for message in answer["messages"]]

    def retract(self, user: str, message: str) -> bool:
        """Drops one message by its id. False: it is not there any more, or every client has it."""
        return self._ask("DELETE", "/mailbox", {"user": user, "id": message})["retracted"]

    def delete(self, user: str) -> bool:
        """Drops all messages of a user. False: there was no mailbox."""
        return self._ask("DELETE", "/mailbox", {"user": user})["deleted"]

    # --- tokens

    def issue_token(self, user: str, *, ttl: Optional[float] = None, client: Optional[str] = None, data: Any = None, sliding: bool = False) -> Json:
        """A token by which a page polls as this user: {"token", "id", "user", "expires"}.

        ttl      its life in seconds (a day)
        client   the only client that may use it
        data     what /alive tells the page, up to 4 KiB of JSON
        sliding  each poll makes it last for `ttl` again
        """
        return self._ask("POST", "/tokens", {}, _with(user=user, ttl=ttl, client=client, data=data, sliding=sliding or None))

    def tokens(self, user: str) -> List[Json]:
        """The valid tokens of a user, without their secrets: {"id", "created", "expires", "used", "address", "client", "data"}."""
        return self._ask("GET", "/tokens", {"user": user})["tokens"]

    def revoke_token(self, id: str) -> int:
        """Revokes one token by its `id`; its polls end at once. How many there were: 1 or 0."""
        return self._ask("DELETE", "/tokens", {"id": id})["revoked"]

    def revoke_tokens(self, user: str) -> int:
        """Revokes all tokens of a user, signed ones too. How many there were."""
        return self._ask("DELETE", "/tokens", {"user": user})["revoked"]

    # --- groups

    def groups(self, prefix: Optional[str] = None) -> Iterator[Json]:
        """All groups in the order of their names: {"group", "size"}."""
        return self._each("/groups", "groups", prefix=prefix)

    def members(self, group: str) -> Iterator[Json]:
        """All members of a group in the order of their names: {"user", "online"}."""
        return self._each("/groups/" + _in_path(group, "group"), "members")

    def add_to_group(self, group: str, users: Union[str, Iterable[str]]) -> int:
        """Adds a user or several. How many are new in it."""
        path = "/groups/" + _in_path(group, "group")
        if isinstance(users, str):
            return int(self._ask("PUT", f"{path}/{_in_path(users, 'users')}")["added"])
        return self._ask("PUT", path, {}, _names(users, "users"))["added"]

    def remove_from_group(self, group: str, user: str) -> bool:
        """Removes a user. False: it was no member."""
        return self._ask("DELETE", f"/groups/{_in_path(group, 'group')}/{_in_path(user, 'user')}")["removed"]

    def set_group(self, group: str, users: Iterable[str]) -> Json:
        """Makes the group exactly these users: {"group", "added", "removed", "size"}."""
        users = list(users)
        return self._ask("PUT", "/groups/" + _in_path(group, "group"), {"replace": "1"}, _names(users, "users") if users else [])

    def remove_group(self, group: str) -> bool:
        """Removes a group. False: it had no members."""
        return self._ask("DELETE", "/groups/" + _in_path(group, "group"))["removed"]

    # --- users

    def users(self, prefix: Optional[str] = None) -> Iterator[Json]:
        """Who is online, in the order of their names: {"user", "last_activity", "until", "clients"}."""
        return self._each("/users", "users", prefix=prefix)

    def user(self, user: str) -> Json:
        """One user, online or not: {"user", "online", "last_activity", "until", "clients", "locked", "groups"}."""
        return self._ask("GET", "/users", {"user": user})

    def kick(self, user: str, *, reason: Optional[str] = None, seconds: Optional[float] = None) -> None:
        """Ends all polls of a user, and makes its present tokens worthless. A user without a token stays out for `seconds` (60)."""
        self._ask("POST", "/users/kick", {}, {"user": user, **_with(reason=reason), **({} if seconds is None else {"for": seconds})})

    def lock(self, user: str, *, reason: Optional[str] = None) -> None:
        """Keeps a user out until unlock(). Its messages are kept."""
        self._ask("POST", "/users/lock", {}, _with(user=user, reason=reason))

    def unlock(self, user: str) -> bool:
        """Lets a user in again. False: it was not locked."""
        return self._ask("POST", "/users/unlock", {}, {"user": user})["was_locked"]

    def erase(self, user: str) -> Json:
        """Removes all that Letterbox knows of a user: mailbox, tokens, schedule, groups, lock, presence. Says how much that was:
        {"user", "erased", "messages", "tokens", "scheduled", "groups", "standing", "presence"}."""
        return self._ask("DELETE", "/users/" + _in_path(user, "user"))

    # --- listening

    def poll(self, *, user: Optional[str] = None, token: Optional[Token] = None, client: Optional[str] = None, after: str = "0", limit: int = 100,
             timeout: float = 25, wait: Optional[float] = None) -> "Poll":
        """Iterates over the messages of a mailbox as they come, for ever: through restarts, failovers and losses of the network.

        token    who polls: a token, or a function that returns one. It is called with False; and with True if the server
                 has refused the last one: then it should make a new one. The server needs its public face at this address.
        user     instead of a token, if the server believes it (--open)
        client   the name of this reader; two that poll at the same time need two names
        after    begin after the message with this id; `0`: with the oldest that is kept; `now`: with the next one
        limit    most messages that one answer brings
        timeout  how long the server holds a poll, in seconds (0 to 50)
        wait     ends if no message has come for this many seconds; 0: takes what is there. None: never ends

        A message counts as done, and is acknowledged with the next request, once the loop asks for the next one. So a program that dies
        gets the message that it worked at again, and none is lost. Keep `message.id` after the work, and give it as `after` at the next
        start. Poll.ack() acknowledges at once. Raises a TerminalError if the server refuses the user (`kicked`, `locked`, `bad_token`).
        """
        if (user is None) == (token is None):
            raise ValueError("poll needs a user or a token")
        if not 0 <= timeout <= 50 or (wait is not None and not wait >= 0):
            raise ValueError("timeout is 0 to 50 seconds, and wait at least 0")
        return Poll(self, _with(user=user, client=client, limit=limit), token, after, timeout, wait)

    # --- health

    def health(self) -> Json:
        """{"status": "ready", "program": …} if Letterbox lives and Redis takes writes. Otherwise raises at once: Unavailable says why."""
        return self._once("GET", "/readyz", {}, None, {}, self._timeout)

    # --- requests

    def _fresh(self, key: Optional[str]) -> str:
        if key is None:
            return secrets.token_hex(16)
        if not re.fullmatch(r"[ -~]{1,128}", key) or key != key.strip():
            raise ValueError("an idempotency key is 1 to 128 printable ASCII characters, with no blanks around them")
        return key

    def _push(self, body: Any, key: Optional[str], end: Optional[float] = None) -> Json:
        """A push, repeated also for those recipients alone that have failed for the moment: the key keeps it from the others."""
        headers = {"Idempotency-Key": self._fresh(key)}
        content = _json(body)
        if end is None:
            end = time.monotonic() + self._retry_for
        failures = 0
        while True:
            answer = self._ask("POST", "/push", {}, content, headers, end, partly=True)
            errors = [result["error"] for result in answer.get("results", []) if "error" in result]
            retry = [error for error in errors if not error["terminal"]]
            if not retry:
                return answer
            error = _error_of(503, _json({"error": retry[0]}))
            if not self._may_repeat(error, failures, end):
                return answer
            failures += 1

    def _each(self, path: str, field: str, **query: Any) -> Iterator[Json]:
        """The entries of all pages of a list."""
        after = None
        while True:
            answer = self._ask("GET", path, _with(**query, after=after, limit=1000))
            yield from answer[field]
            after = answer["next"]
            if after is None:
                return

    def _ask(self, method: str, path: str, query: Optional[Json] = None, body: Any = None, headers: Optional[Dict[str, str]] = None,
             end: Optional[float] = None, partly: bool = False) -> Json:
        """One request, repeated while it fails for the moment, until `end`. All of them may be repeated: their effect is the same."""
        if end is None:
            end = time.monotonic() + self._retry_for
        content = body if body is None or isinstance(body, bytes) else _json(body)
        shown = dict(headers or {})
        if self._key is not None:
            shown["Authorization"] = "Bearer " + self._key
        failures = 0
        while True:
            try:
                return self._once(method, path, query or {}, content, shown, self._timeout, partly)
            except TemporaryError as error:
                if not self._may_repeat(error, failures, end):
                    raise
                failures += 1

    def _may_repeat(self, error: LetterboxError, failures: int, end: float) -> bool:
        """Waits before the next attempt; false if that would be after the end."""
        seconds = max(error.retry_after_ms / 1000, _backoff(failures))
        if time.monotonic() + seconds > end:
            return False
        self._pause(error, seconds)
        return True

    def _pause(self, error: LetterboxError, seconds: float) -> None:
        if self._on_retry is not None:
            self._on_retry(error, seconds)
        time.sleep(seconds)

    def _once(self, method: str, path: str, query: Json, content: Optional[bytes], headers: Dict[str, str], timeout: float, partly: bool = False) -> Json:
        """One request; its answer as JSON, or the error that it is. partly: an answer with `results` is one, whatever its status."""
        where = self._pool.prefix + path + ("?" + urlencode(query) if query else "")
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        status, said = self._exchange(method, where, content, headers, timeout)
        try:
            answer = json.loads(said)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and (200 <= status < 300 or (partly and "results" in answer)):
            return answer
        if 200 <= status < 400:
            raise BadRequest("not_letterbox", f"status {status}, and no JSON of Letterbox: is this its address?", status)
        raise _error_of(status, said)

    def _exchange(self, method: str, where: str, content: Optional[bytes], headers: Dict[str, str], timeout: float) -> "tuple[int, bytes]":
        while True:
            connection, used = self._pool.take(timeout)
            try:
                connection.request(method, where, content, headers)
                response = connection.getresponse()
                said = response.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                # A kept connection that the server has closed meanwhile says nothing about the server.
                if used and not isinstance(error, socket.timeout):
                    continue
                raise NoAnswer("no_answer", f"{type(error).__name__}: {error}", terminal=False) from error
            except BaseException:
                connection.close()
                raise
            if response.will_close:
                connection.close()
            else:
                self._pool.put(connection)
            return response.status, said


def _portions(messages: Iterable[Json]) -> Iterator[List[Json]]:
    """Lists of envelopes for one request each: at most 500 recipients, and 128 KiB unless one alone is longer."""
    portion: List[Json] = []
    recipients = size = 0
    for message in messages:
        if not isinstance(message, dict) or "to" not in message:
            raise TypeError('a message is a dictionary with "to" in it')
        unknown = set(message) - {"to", "type", "data", "ttl", "collapse", "delay", "at"}
        if unknown:
            raise ValueError(f"a message has no {', '.join(sorted(unknown))}")
        envelope = _with(**message)
        names = _names(envelope["to"], "to")
        if any(name == "*" or name.startswith("group:") or "," in name for name in names):
            raise ValueError("push_many is for users; push() tells groups and everybody")
        envelope["to"] = names[0] if isinstance(envelope["to"], str) else names
        length = len(_json(envelope))
        if portion and (recipients + len(names) > 500 or size + length > 128 * 1024):
            yield portion
            portion, recipients, size = [], 0, 0
        portion.append(envelope)
        recipients += len(names)
        size += length
    if portion:
        yield portion


# --- the iterator ---------------------------------------------------------------------

class Message(NamedTuple):
    """A message. `id` is also the cursor after it; `time` is when it was pushed, in milliseconds since 1970."""

    id: str
    type: str
    data: Any
    time: int

    @classmethod
    def of(cls, said: Json) -> "Message":
        return cls(said["id"], said["type"], said["data"], said["time"])


class Poll:
    """The messages of a mailbox, one after the other: see Letterbox.poll(). For one thread.

    cursor     the id of the last message that is done
    missed     how many messages will not come any more: dropped or expired before this client had them
    collapsed  how many were replaced or retracted before this client had them
    resets     how often the mailbox has become another one; the iterator went on with the oldest message each time
    """

    def __init__(self, letterbox: Letterbox, query: Json, token: Optional[Token], after: str, timeout: float, wait: Optional[float]):
        self.cursor = after
        self.missed = self.collapsed = self.resets = 0
        self._letterbox = letterbox
        self._query = query
        self._token = token
        self._timeout = timeout
        self._wait = wait
        self._messages: "collections.deque[Message]" = collections.deque()
        self._given: Optional[str] = None
        self._position = after  # where the last answer ended
        self._refused = False

    def __iter__(self) -> "Poll":
        return self

    def __next__(self) -> Message:
        if self._given is not None:
            self.cursor, self._given = self._given, None
        if not self._messages:
            self.cursor = self._position
            self._fill()
        message = self._messages.popleft()
        self._given = message.id
        return message

    def ack(self) -> None:
        """Acknowledges the message that was given last, and all before it, at once."""
        if self._given is not None:
            self.cursor, self._given = self._given, None
        if not re.fullmatch(r"[0-9]+-[0-9]+", self.cursor):
            return  # no message was given yet
        end = time.monotonic() + self._letterbox._retry_for
        failures = 0
        while True:
            try:
                self._request("POST", "/ack", _with(user=self._query.get("user"), client=self._query.get("client"), after=self.cursor), 0)
                return
            except TemporaryError as error:
                if not self._letterbox._may_repeat(error, failures, end):
                    raise
                failures += 1

    def _fill(self) -> None:
        """Asks until there are messages. StopIteration: none has come for `wait` seconds."""
        begin = time.monotonic()
        failures = 0
        while not self._messages:
            left = None if self._wait is None else max(0.0, begin + self._wait - time.monotonic())
            timeout = self._timeout if left is None else min(self._timeout, round(left, 3))
            try:
                answer = self._request("GET", "/poll", {**self._query, "after": self._position, "timeout": timeout}, timeout)
            except TemporaryError as error:
                seconds = max(error.retry_after_ms / 1000, _backoff(failures))
                if self._wait is not None and time.monotonic() + seconds > begin + max(self._wait, self._letterbox._retry_for):
                    raise
                failures += 1
                self._letterbox._pause(error, seconds)
                continue
            failures = 0
            self._take(answer)
            if self._messages:
                return
            if self._wait is not None and time.monotonic() >= begin + self._wait:
                raise StopIteration
            # After `kicked` the next request says by a terminal error what has happened.
            time.sleep(answer["retry_after_ms"] / 1000)

    def _take(self, answer: Json) -> None:
        self.missed += answer["missed"]
        self.collapsed += answer.get("collapsed", 0)
        self.resets += bool(answer["reset"])
        self._messages.extend(map(Message.of, answer["messages"]))
        self._position = answer["cursor"]
        if not self._messages:
            self.cursor = self._position

    def _request(self, method: str, path: str, query: Json, timeout: float) -> Json:
        """Asks as the one who polls. If the token is refused, a function may make another, once."""
        while True:
            token = self._token(self._refused) if callable(self._token) else self._token
            if token is not None and not re.fullmatch(r"[!-~]+", token):
                raise ValueError("a token is printable ASCII without blanks")
            headers = {} if token is None else {"Authorization": "Bearer " + token}
            try:
                answer = self._letterbox._once(method, path, query, None, headers, timeout + self._letterbox._timeout)
                self._refused = False
                return answer
            except Unauthorized:
                if not callable(self._token) or self._refused:
                    raise
                self._refused = True
