# SPDX-License-Identifier: MIT
"""Names of keys in Redis, for tests that look at them or put something there (lib/mailbox/KEYS.md).

With LETTERBOX_OVER_CLUSTER=1 the tests' stacks keep their data in a Redis Cluster, in which a key names the part of its user.
"""

import binascii
import os

PARTS = 128  # of Letterbox' data in a cluster; each is in one slot
OVER_CLUSTER = os.environ.get("LETTERBOX_OVER_CLUSTER") == "1"


def part(user):
    return binascii.crc_hqx(user.encode(), 0) % PARTS  # CRC16 as Redis has it


def key_in_cluster(kind, user):
    return f"{kind}:{{{part(user)}}}{user}"


def key(kind, user):
    """That of one user: mailbox:{alice}, or mailbox:{17}alice."""
    return key_in_cluster(kind, user) if OVER_CLUSTER else f"{kind}:{{{user}}}"


def shared_key(kind, user):
    """That of all users of the part in which this one is: letterbox:online, or letterbox:online:{17}."""
    return f"letterbox:{kind}:{{{part(user)}}}" if OVER_CLUSTER else f"letterbox:{kind}"


def group_key(name, user):
    """Where a group has this member: group:{team}, or group:{17}team."""
    return f"group:{{{part(user)}}}{name}" if OVER_CLUSTER else f"group:{{{name}}}"
