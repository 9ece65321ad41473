# SPDX-License-Identifier: MIT
"""TCP ports of loopback for the servers of tests.

Between the moment in which a port is drawn and that in which a server listens there, nobody else may draw it. So each process that runs
tests has ports of its own. All are below those that the kernel gives to outgoing connections.
"""

import functools
import itertools
import random
import socket

PROCESSES = 40  # at the same time, at most
NODES = range(10_000, 18_000)  # of clusters, which speak to one another at a port that is 10,000 higher
OTHERS = range(28_000, 32_000)


@functools.cache
def own():
    """This process' number, held by a socket's name that no other process can have meanwhile."""
    for number in random.sample(range(PROCESSES), PROCESSES):
        holder = socket.socket(socket.AF_UNIX)
        try:
            holder.bind(f"\0letterbox-tests-{number}")
        except OSError:
            holder.close()
        else:
            return number, holder
    raise RuntimeError(f"more than {PROCESSES} processes run tests")


@functools.cache
def in_turn(ports):
    """Those of them that are this process', again and again."""
    return itertools.cycle(ports[own()[0]::PROCESSES])


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: what is left of old connections is no hindrance
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def spare_port():
    return next(port for port in in_turn(OTHERS) if is_free(port))


def spare_ports(count):
    """All different."""
    return [spare_port() for _ in range(count)]


def spare_node_ports(count):
    """All different; for nodes of a cluster."""
    spare = (port for port in in_turn(NODES) if is_free(port) and is_free(port + 10_000))
    return list(itertools.islice(spare, count))
