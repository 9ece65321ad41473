# SPDX-License-Identifier: MIT
"""Looks at an nginx configuration for scripts/check: is what nginx allows enough for what Letterbox does?

Reads what `nginx -T` prints on standard input, and the settings of letterbox-poll as arguments: NAME=VALUE, as
`letterbox-poll --settings` prints them, and PREFIX=DIRECTORY of nginx. Prints a line for each finding: `ok: …`, `warning: …` or `error: …`.
"""

import fnmatch
import grp
import os
import pwd
import re
import sys

CONNECTIONS_A_POLL = 2.2  # of an nginx worker: the client's, the one to the program, and a few more
SOFT_LIMIT = 1024  # descriptors that a service may open if nobody says otherwise
LOOPBACK = re.compile(r"(127\.|\[::1\]|localhost(:|$)|unix:)")


# --- reading the configuration ---------------------------------------------------------------------------------------


class Directive:
    """NAME ARGS; or NAME ARGS { BLOCK }."""

    def __init__(self, name, args, block=None):
        self.name = name
        self.args = args
        self.block = block


TOKEN = re.compile(r"""\s+|\#[^\n]*|(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<mark>[;{}])|(?P<word>(?:\\.|\$\{|[^\s;{}\\])+)""", re.S)


def tokens(text):
    """The words of a file, and its marks ; { } as one-tuples."""
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise ValueError(f"not understood: {text[at:at + 40]!r}")
        at = match.end()
        if match["mark"]:
            yield (match["mark"],)
        elif match["quoted"]:
            yield re.sub(r"\\(.)", r"\1", match["quoted"][1:-1]) if "\\" in match["quoted"] and match["quoted"][0] == "'" else match["quoted"][1:-1]
        elif match["word"]:
            yield match["word"]


class Configuration:
    """All files that `nginx -T` shows, with every include in its place."""

    def __init__(self, dump):
        parts = re.split(r"(?m)^# configuration file (.*):$", dump)
        self.files = dict(zip(parts[1::2], parts[2::2]))
        if not self.files:
            raise ValueError("no configuration")
        self.main = parts[1]
        self.top = self.read(self.main)

    def read(self, path):
        words = iter(tokens(self.files[path]))
        return self.block(words)

    def block(self, words):
        directives, current = [], []
        for word in words:
            if isinstance(word, str):
                current.append(word)
            elif word == ("}",):
                break
            elif current:
                name, *args = current
                current = []
                if word == ("{",) and name.endswith("_by_lua_block"):
                    self.skip(words)
                elif word == ("{",):
                    directives.append(Directive(name, args, self.block(words)))
                elif name == "include":
                    for path in self.included(args[0]):
                        directives += self.read(path)
                else:
                    directives.append(Directive(name, args))
        return directives

    def skip(self, words):
        depth = 1
        while depth:
            depth += {("{",): 1, ("}",): -1}.get(next(words), 0)

    def included(self, pattern):
        pattern = os.path.join(os.path.dirname(self.main), pattern)
        return [path for path in sorted(self.files)
                if path == pattern or (os.path.dirname(path) == os.path.dirname(pattern) and fnmatch.fnmatchcase(path, pattern))]


class Location:
    """A location that hands requests to Letterbox, with the blocks around it, the innermost first."""

    def __init__(self, directive, around, upstreams):
        self.args = directive.args
        self.blocks = [directive.block, *(block for block in around)]
        target = self.one("fastcgi_pass")
        self.target = f"{target} {' '.join(upstreams.get(target, []))}"

    @property
    def is_ours(self):
        return "letterbox" in self.target

    @property
    def server(self):
        return self.blocks[-2]

    def all(self, name):
        """The directives of a name that are in force: those of the innermost block that has any."""
        for block in self.blocks:
            found = [directive for directive in block if directive.name == name]
            if found:
                return found
        return []

    def one(self, name, default=""):
        found = self.all(name)
        return found[-1].args[0] if found and found[-1].args else default

    def leads_to(self, route):
        """Whether requests for a route of Letterbox come here."""
        paths = [param.args[1] for param in self.all("fastcgi_param") if param.args[0] == "PATH_INFO"]
        if paths and "$" not in paths[-1]:
            return paths[-1] == route
        pattern = self.args[-1] if self.args else ""
        if self.args[:1] in (["~"], ["~*"]):
            try:
                return bool(re.search(pattern.replace(r"\z", r"\Z").replace("(?<", "(?P<"), route))
            except re.error:
                return route in pattern
        return pattern.endswith(route) or (self.args[:1] != ["="] and route.startswith(pattern))

    @property
    def is_private(self):
        """Whether who gets here pushes, or sees figures: what is not for the world."""
        return "push" in self.target or any(map(self.leads_to, ("/metrics", "/metrics/poll", "/push", "/users")))


def locations(configuration):
    http = next((directive.block for directive in configuration.top if directive.name == "http"), [])
    upstreams = {directive.args[0]: [server.args[0] for server in directive.block if server.name == "server"]
                 for directive in http if directive.name == "upstream"}

    def walk(block, around):
        for directive in block:
            if directive.block is None or directive.name not in ("server", "location", "if", "limit_except"):
                continue
            if directive.name == "location" and any(inner.name == "fastcgi_pass" for inner in directive.block):
                found = Location(directive, around, upstreams)
                if found.is_ours:
                    yield found
            yield from walk(directive.block, [directive.block, *around])

    return list(walk(http, [http]))


def seconds(text):
    units = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdw]?)", text))


def size(text):
    return int(text[:-1]) << {"k": 10, "m": 20, "g": 30}[text[-1].lower()] if text[-1:].lower() in ("k", "m", "g") else int(text)


# --- what is wrong ---------------------------------------------------------------------------------------------------

found = []


def find(level, text):
    line = f"{level}: nginx {text}"
    if line not in found:
        found.append(line)


def look_at_waiting(public, polls_most, silence_most):
    """fastcgi_read_timeout beside how long the program may say nothing."""
    for route, most, why in (("/poll", polls_most, "--poll-timeout-max"), ("/events", silence_most, "twice --stream-ping")):
        for location in public:
            if not location.leads_to(route):
                continue
            limit = location.one("fastcgi_read_timeout", "60s")
            if seconds(limit) <= most:
                find("error", f"gives up on {route} after {limit} (fastcgi_read_timeout), and Letterbox may be silent for {most:g} s "
                              f"({why}). Set `fastcgi_read_timeout {most + 10:g}s`, or lower {why.split()[-1]}")
            else:
                find("ok", f"waits {limit} for {route}, longer than the {most:g} s that Letterbox may be silent ({why})")


def look_at_streams(public):
    for location in public:
        if location.one("fastcgi_ignore_client_abort") == "on":
            find("error", "hides that clients have left (fastcgi_ignore_client_abort on): their polls take messages. Set it off")
        if not location.leads_to("/events"):
            continue
        ignores = any("X-Accel-Buffering" in directive.args for directive in location.all("fastcgi_ignore_headers"))
        if ignores and location.one("fastcgi_buffering", "on") != "off":
            find("warning", "collects streams in buffers (fastcgi_buffering on for /events): Letterbox does not feel a slow reader, and "
                            "compression holds them back. Set `fastcgi_buffering off` there")
        else:
            find("ok", "passes streams on as they come")
        types = location.all("gzip_types")
        if location.one("gzip") == "on" and types and {"text/event-stream", "*"} & set(types[-1].args):
            find("error", "holds streams back (gzip of text/event-stream). Set `gzip off` for /events")


def listens(location):
    return [directive.args[0] for directive in location.server if directive.name == "listen"] or ["*:80"]


def is_on_loopback(location):
    return all(LOOPBACK.match(address) for address in listens(location))


def who_may(location):
    """Who gets through allow and deny; None: everybody."""
    allowed = []
    for block in location.blocks:
        rules = [directive for directive in block if directive.name in ("allow", "deny")]
        for rule in rules:
            if rule.args[0] == "all":
                return None if rule.name == "allow" else allowed
            if rule.name == "allow":
                allowed.append(rule.args[0])
        if rules:
            return None
    return None


def look_at_private(private, public, has_key, body_max):
    for location in private:
        allowed = who_may(location)
        asks = location.one("auth_basic", "off") != "off" or location.one("auth_request", "off") != "off"
        where = ", ".join(listens(location))
        if allowed is None and not is_on_loopback(location) and not asks:
            if has_key:
                find("warning", f"lets everybody who reaches {where} try keys at the private routes (no `deny all`). Allow your back ends alone")
            else:
                find("error", f"lets everybody who reaches {where} push and read all mailboxes (no `deny all`, and no --key-file). "
                              "Have the private routes listen on loopback, or set `allow` for your back ends and `deny all`")
        elif is_on_loopback(location) and location.server in [other.server for other in public] and not has_key \
                and not location.all("set_real_ip_from"):
            find("warning", f"has public and private routes in one server on {where}: behind a proxy on this machine all the world is "
                            "loopback, and may push. Give the private routes a server of their own, or start Letterbox with --key-file")
        else:
            find("ok", f"opens the private routes on {where} to {', '.join(allowed) if allowed else 'all who reach that'}")
        if location.leads_to("/push") and 0 < size(location.one("client_max_body_size", "1m")) < body_max:
            find("warning", f"refuses pushes of more than {location.one('client_max_body_size', '1m')} (client_max_body_size), and --body-max "
                            f"is {body_max}. Set `client_max_body_size {body_max}`")


def top_value(configuration, name, default, block="events"):
    inside = next((directive.block for directive in configuration.top if directive.name == block), [])
    values = [directive.args[0] for directive in [*inside, *configuration.top] if directive.name == name]
    return values[-1] if values else default


def look_at_sockets(ours, user):
    """Whether nginx' workers find the sockets of the programs, and may open them."""
    try:
        account = pwd.getpwnam(user)
        groups = os.getgrouplist(user, account.pw_gid)
        group = grp.getgrgid(account.pw_gid).gr_name
    except KeyError:
        return
    for path in sorted({path for location in ours for path in re.findall(r"unix:(/[^\s:]+)", location.target)}):
        try:
            socket = os.stat(path)
        except FileNotFoundError:
            find("error", f"finds no socket {path}, so clients get 502. Start Letterbox, or see its --listen and --push-listen")
            continue
        except PermissionError:
            continue
        bits = 0o200 if socket.st_uid == account.pw_uid else 0o020 if socket.st_gid in groups else 0o002
        if account.pw_uid and not socket.st_mode & bits:
            find("error", f"may not open {path} as {user}, so clients get 502. Run `chgrp {group} {path} && chmod 660 {path}`; for good: SocketGroup and "
                          f"SocketMode in the socket unit, or spawn-fcgi -G {group} -M 0660")
        else:
            find("ok", f"may open {path}")


def descriptors_of_running(configuration, prefix):
    """How many descriptors nginx may open where the configuration does not say it: what the running one has, if it can be seen."""
    try:
        pid = open(os.path.join(prefix, top_value(configuration, "pid", "/run/nginx.pid"))).read().strip()
        limits = open(f"/proc/{pid}/limits").read()
        return int(re.search(r"Max open files +(\d+)", limits)[1])
    except (OSError, TypeError, ValueError):
        return SOFT_LIMIT


def look_at_room(configuration, parked, prefix):
    connections = int(top_value(configuration, "worker_connections", "512"))
    processes = top_value(configuration, "worker_processes", "1")
    processes = os.cpu_count() if processes == "auto" else int(processes)
    room = int(connections * processes / CONNECTIONS_A_POLL)
    wanted = int(parked * CONNECTIONS_A_POLL / processes) + 1
    if room < parked:
        find("warning", f"has room for {room} polls ({processes} workers with {connections} worker_connections), and Letterbox for {parked} "
                        f"(--max-parked). Set `worker_connections {wanted}` and `worker_rlimit_nofile {wanted}`, or lower --max-parked")
    else:
        find("ok", f"has room for {room} polls, Letterbox for {parked}")
    limit = int(top_value(configuration, "worker_rlimit_nofile", "0")) or descriptors_of_running(configuration, prefix)
    if limit < connections:
        find("warning", f"may open {limit} files a worker, and has {connections} worker_connections. Set `worker_rlimit_nofile {connections}`")


def main():
    settings = dict(argument.partition("=")[::2] for argument in sys.argv[1:])

    def number(name, default):
        return float(settings.get("LETTERBOX_" + name) or default)

    try:
        configuration = Configuration(sys.stdin.read())
    except (ValueError, KeyError, StopIteration, RecursionError) as error:
        print(f"warning: nginx' configuration could not be read: {error}. Look at it by hand: nginx/README.md")
        return
    ours = locations(configuration)
    private = [location for location in ours if location.is_private]
    public = [location for location in ours if not location.is_private]
    for route in ("/poll", "/events"):
        if not any(location.leads_to(route) for location in public):
            find("error", f"hands no {route} to Letterbox. Include letterbox-public.conf in the site's server: nginx/README.md")
    look_at_sockets(ours, top_value(configuration, "user", "www-data"))
    # An event between two pings makes the second one needless.
    look_at_waiting(public, number("POLL_TIMEOUT_MAX", 50), 2 * number("STREAM_PING", 15))
    look_at_streams(public)
    look_at_private(private, public, bool(settings.get("LETTERBOX_KEY_FILE")), int(number("BODY_MAX", 262144)))
    look_at_room(configuration, int(number("MAX_PARKED", 100000)), settings.get("PREFIX", "/"))
    print("\n".join(found))


if __name__ == "__main__":
    main()
