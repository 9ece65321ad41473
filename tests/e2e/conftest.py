# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests, and reports that name each test by its claim (its docstring's first line)."""

import itertools
import signal
import threading

import pytest

from redis_group import Group
from stack import BUILD, ROOT, SCRIPTS, Program, Stack

numbers = itertools.count(1)


def pytest_configure():
    # Whatever ends the run, fixtures take down what they have started. (A shell starts what it does not wait for with
    # SIGINT ignored, and so would be whatever is started here.)
    # Under load a worker of pytest-xdist may come to this in another thread, which has no say in signals.
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        claim = (item.function.__doc__ or "").strip().splitlines()
        if not claim:
            raise pytest.UsageError(f"{item.nodeid} has no claim: give it a docstring")
        case = f" [{item.callspec.id}]" if hasattr(item, "callspec") else ""
        item._nodeid = f"{item.nodeid.partition('::')[0]}::{claim[0]}{case}"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the programs it talked to had to say."""
    report = (yield).get_result()
    if report.when == "teardown":
        Program.started.clear()
    elif report.failed:
        for program in Program.started:
            report.sections.append((f"{program.name}, status {program.poll()}", program.said()))
        report.sections.extend(("the sentinels", group.said()) for group in Group.started)
    if report.failed:
        ours = set(map(id, getattr(item, "funcargs", {}).values()))
        for stack in Stack.started:
            if id(stack) in ours or not stack.shared:
                report.sections.append((f"logs of {stack.dir} during the test", stack.logs()))


def pytest_sessionstart(session):
    missing = [str(path) for path in (SCRIPTS / "service", BUILD / "letterbox-poll", BUILD / "letterbox-push")
               if not path.exists()]
    if missing and not session.config.option.collectonly:
        raise pytest.UsageError(f"not built: {', '.join(missing)} (run make in {ROOT})")


@pytest.fixture(scope="session")
def shared_stack():
    stack = Stack(shared=True, workers=3).start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def shared_tight_stack():
    stack = Stack(shared=True, mailbox_max=10, client_life=1, recipients_max=5, body_max=1000, poll_timeout=0.5, poll_timeout_max=5).start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def shared_narrow_stack():
    stack = Stack(shared=True, workers=1).start()
    yield stack
    stack.stop()


def unharmed(stack):
    """Lends a shared stack to a test. No test may bring a part of it down; where one does, the next finds it whole again."""
    if stack.running() != set(stack.parts):
        assert stack.service("start").returncode == 0
    stack.mark()
    before = stack.pids()
    yield stack
    assert stack.running() == set(stack.parts) and stack.pids() == before, f"ran before: {before}, runs now: {stack.running()}"


@pytest.fixture
def stack(shared_stack):
    """The stack of all tests that only talk to one. Its programs have several workers, whatever the machine."""
    yield from unharmed(shared_stack)


@pytest.fixture
def tight_stack(shared_tight_stack):
    """A stack whose limits are within a test's reach."""
    yield from unharmed(shared_tight_stack)


@pytest.fixture
def narrow_stack(shared_narrow_stack):
    """A stack with one worker thread: whatever holds it stops everything."""
    yield from unharmed(shared_narrow_stack)


@pytest.fixture
def new_stack():
    """Makes stacks of given settings, which the test may break."""
    made = []

    def make(**settings):
        made.append(Stack(**settings))
        return made[-1].start()

    yield make
    for stack in made:
        stack.stop()


@pytest.fixture
def private_stack(new_stack):
    """A stack that the test may break."""
    return new_stack()


@pytest.fixture
def apart_stack(new_stack):
    """Another, in which each face has a program of its own."""
    return new_stack(apart=1)


@pytest.fixture(params=[0, 1], ids=["one program", "two programs"])
def either_stack(request, new_stack):
    """One of either kind: the claim holds for both."""
    return new_stack(apart=request.param)


@pytest.fixture
def user():
    """A user no other test knows."""
    return f"user{next(numbers)}"


@pytest.fixture
def users():
    """As many users no other test knows as one asks for."""
    return lambda count: [f"user{next(numbers)}" for _ in range(count)]
