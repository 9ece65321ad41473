# SPDX-License-Identifier: MIT
"""Letterbox on two hosts before one cluster, and nginx before them as nginx/README.md has it."""

import re
import signal

import pytest

from expect import data
from own_nginx import OwnNginx
from stack import ROOT


def balancer(hosts, by_hash):
    """The lines of the README, with the ports of these hosts."""
    blocks = re.findall(r"(?s)```nginx\n(.*?)```", (ROOT / "nginx" / "README.md").read_text())
    lines, = [block for block in blocks if "upstream letterbox_hosts" in block]
    servers = iter(hosts)

    def changed(old, new, text, count=1):
        text, times = re.subn(old, new, text)
        assert times == count, (old, text)
        return text

    lines = changed(r"server 10\.0\.0\.\d+:8081;", lambda _: f"server 127.0.0.1:{next(servers).port};", lines, len(hosts))
    lines = changed(r"include /usr/share/letterbox/nginx/letterbox-upstream\.conf;", "include letterbox-upstream.conf;", lines)
    lines = changed(r"listen 443 ssl; …", "listen 127.0.0.1:PORT;", lines)
    return lines if by_hash else changed(r"hash \$letterbox_user consistent;", "", lines)


def parked_at(host):
    return int(re.search(r"(?m)^letterbox_polls_parked (\d+)$", host.get("/metrics").body.decode())[1])


@pytest.mark.parametrize("by_hash", [True, False], ids=["by user", "in turn"])
def test_two_hosts(new_cluster, stack_on, users, by_hash):
    """behind the balancer of the README each message reaches all polls of its user, on both hosts, once; if the program of a host dies, or all of it, clients go on at the other host"""
    cluster = new_cluster(replicas=0)
    hosts = [stack_on(cluster), stack_on(cluster)]
    names = users(6)
    with OwnNginx(hosts[0], "balancer", balancer(hosts, by_hash)) as site:
        parked = {user: [site.send_poll(user, client=client, timeout=40) for client in ("laptop", "phone")] for user in names}
        for user in names:
            hosts[0].has_polls(user, 2)
        waiting = [parked_at(host) for host in hosts]
        assert sum(waiting) == 2 * len(names) and all(waiting), waiting
        for number, user in enumerate(names):
            hosts[number % 2].pushed(user, "hello")
        assert all([data(poll.answer()) for poll in polls] == [["hello"]] * 2 for polls in parked.values())

        cursors = {user: site.look(user, client="laptop", after=0)["cursor"] for user in names}
        for part, number in [("poll", signal.SIGKILL), ("nginx", signal.SIGTERM)]:
            hosts[0].end(part, number)
            for user in names:
                hosts[1].pushed(user, f"without {part}")
                answer = site.look(user, client="laptop", after=cursors[user])
                cursors[user] = answer["cursor"]
                assert data(answer) == [f"without {part}"]
