# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests, and reports that name each test by its claim (its docstring's first line)."""

import itertools
import signal
import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

import contract
from expect import data, is_accepted
from redis_cluster import RedisCluster
from redis_group import Group, Servers
from stack import BUILD, ROOT, SCRIPTS, Program, Stack
from web import DEADLINE

numbers = itertools.count(1)


def pytest_configure():
    # However the run ends, fixtures take down what they have started. (A shell starts background programs with SIGINT ignored,
    # and they would pass that on.)
    # Under load a worker of pytest-xdist may come to this in another thread, which must not set signals.
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
    """A failed test shows the logs of the programs that it talked to."""
    report = (yield).get_result()
    if report.when == "teardown":
        Program.started.clear()
    elif report.failed:
        for program in Program.started:
            report.sections.append((f"{program.name}, status {program.poll()}", program.said()))
        report.sections.extend(("logs of Redis", servers.said()) for servers in Servers.started)
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


@pytest.fixture(autouse=True)
def kept_contract(request):
    """No answer that the test got is one that openapi.yaml does not allow, unless a site gives it (the mark `others_answer`)."""
    contract.broken.clear()
    yield
    if not request.node.get_closest_marker("others_answer"):
        assert not contract.broken, "\n".join(contract.broken[:10])


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
    """Lends a shared stack to a test. No test may bring a part of it down; if one does, the next finds it whole again."""
    if stack.running() != set(stack.parts):
        assert stack.service("start").returncode == 0
    stack.mark()
    before = stack.pids()
    yield stack
    assert stack.running() == set(stack.parts) and stack.pids() == before, f"ran before: {before}, runs now: {stack.running()}"


@pytest.fixture
def stack(shared_stack):
    """The stack of all tests that only need one to talk to. Its programs have several workers, whatever the machine."""
    yield from unharmed(shared_stack)


@pytest.fixture
def tight_stack(shared_tight_stack):
    """A stack whose limits are within a test's reach."""
    yield from unharmed(shared_tight_stack)


@pytest.fixture
def narrow_stack(shared_narrow_stack):
    """A stack with one worker thread: if that is held up, everything stops."""
    yield from unharmed(shared_narrow_stack)


def makes(kind):
    """Yields what makes objects of one kind that have to be started, of given settings. After the test they are stopped, each whatever becomes of the others."""
    with ExitStack() as made:
        def make(**settings):
            one = kind(**settings)
            made.callback(one.stop)
            return one.start()

        yield make


@pytest.fixture
def new_stack():
    """Makes stacks, which the test may break."""
    yield from makes(Stack)


@pytest.fixture
def private_stack(new_stack):
    """A stack that the test may break."""
    return new_stack()


@pytest.fixture
def apart_stack(new_stack):
    """A stack that the test may break, in which each face has a program of its own."""
    return new_stack(apart=1)


@pytest.fixture(params=[0, 1], ids=["one program", "two programs"])
def either_stack(request, new_stack):
    """A stack of either kind: the claim holds for both."""
    return new_stack(apart=request.param)


@pytest.fixture
def new_group():
    """Makes groups of Redis servers under sentinels."""
    yield from makes(Group)


@pytest.fixture
def new_cluster():
    """Makes Redis clusters: three masters with a replica each, if nothing else is said."""
    yield from makes(RedisCluster)


@pytest.fixture
def clients():
    """Begins threads that talk to a stack, and ends them before it goes, however the test does."""
    begun = []

    def begin(kind, *arguments):
        begun.append(kind(*arguments))
        return begun[-1]

    yield begin
    for thread in begun:
        thread.ended.set()
    for thread in begun:
        thread.join(DEADLINE)


@pytest.fixture
def stack_on(new_stack):
    """Makes stacks whose programs find Redis by the sentinels of a group, or the nodes of a cluster."""
    def make(servers, apart=0, **settings):
        stack = new_stack(apart=apart)
        for part in stack.programs:
            stack.replace(part, "--workers", 2, "--redis", servers.address, open=1, **settings)
        # A request that comes while they are still looking for the master waits until it is found.
        first = f"user{next(numbers)}"
        assert is_accepted(stack.push(first, "begin"))
        assert data(stack.look(first, after=0)) == ["begin"]
        stack.finds_redis()
        return stack

    return make


@pytest.fixture
def user():
    """A user no other test knows."""
    return f"user{next(numbers)}"


@pytest.fixture
def users():
    """A given number of users that no other test knows."""
    return lambda count: [f"user{next(numbers)}" for _ in range(count)]


@pytest.fixture(scope="session")
def hang_library(tmp_path_factory):
    """A library that, preloaded into a program, has it hang as hang.c says."""
    library = tmp_path_factory.mktemp("hang") / "hang.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(__file__).with_name("hang.c"), "-ldl"], check=True)
    return library
