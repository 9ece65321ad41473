# SPDX-License-Identifier: MIT
"""The only place in the tests that lets time pass: a condition is tried until it holds or its deadline is over."""

import time

DEADLINE = 15.0  # seconds; generous, since a condition that holds is seen within a hundredth of one

# Seconds. What takes less than one or two on an idle machine, and would take at least twice this, or for ever, if it were wrong:
# under load it may take longer than it should.
SOON = 5.0


def eventually(condition, what, deadline=DEADLINE):
    """The first true value of condition(). An AssertionError inside condition counts as not yet."""
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            last = condition()
            if last:
                return last
        except AssertionError as error:
            last = error
        if time.monotonic() >= end:
            raise AssertionError(f"not within {deadline} s: {what} (last seen: {last!r})")
        time.sleep(0.01)


def moment(seconds):
    """Lets time pass if its length is the matter itself: for how long a fault lasts, how much later the next one strikes. Nothing is waited for."""
    time.sleep(seconds)
