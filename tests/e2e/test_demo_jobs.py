# SPDX-License-Identifier: MIT
"""The worker of the demo, as a part of the stack: each job that a page pushes to `jobs` is done and reported."""

import json
import os
import re
import signal
import subprocess

import pytest

from stack import PARTS, SCRIPTS, Stack, alive, environment
from test_scripts import Run, processes_in
from waits import eventually

PATIENCE = 60


@pytest.fixture
def demo(new_stack):
    return new_stack(demo=1)


@pytest.fixture(scope="module")
def shared_demo():
    stack = Stack(shared=True, demo=1).start()
    yield stack
    stack.stop()


def start(stack, user, job, seconds):
    answer = stack.push_json(json.dumps({"user": user, "job": job, "seconds": seconds}), to="jobs", type="start")
    assert answer.status in (201, 202), answer


def told(stack, user, job):
    """The data of the messages about a job."""
    return [message["data"] for message in stack.look(user, after=0, limit=1000)["messages"] if message["type"] == "job" and message["data"]["job"] == job]


def result(stack, user, job):
    def is_done():
        messages = told(stack, user, job)
        return messages if messages and messages[-1]["state"] == "done" else None

    return eventually(is_done, f"job {job} is done", deadline=PATIENCE)


def test_job(demo, user):
    """a start message pushed to jobs becomes a job: started, progress with percent, and a result"""
    start(demo, user, "7f3a", 4)
    messages = result(demo, user, "7f3a")
    assert messages[0]["state"] == "started" and {message["state"] for message in messages[1:-1]} == {"progress"}
    pages = [message for message in messages[1:-1] if re.fullmatch(r"page \d of 4, \d+%", message["line"])]
    assert pages and all(message["percent"] in (25, 50, 75, 100) for message in pages)
    assert messages[-1]["status"] == 0 and messages[-1]["tail"][-1] == "the report is ready: 4 pages"
    eventually(lambda: demo.mailbox("jobs")["queued"] == 0, "the message is acknowledged", deadline=PATIENCE)


@pytest.mark.parametrize("document", ['"text"', "{}", '{"user":"a b","job":"1","seconds":2}', '{"user":"$(touch ran)","job":"1","seconds":2}', '{"user":"-x","job":"1","seconds":2}',
                                      '{"user":"USER","job":"a/b","seconds":2}', '{"user":"USER","job":"1","seconds":"2"}', '{"user":"USER","job":"1","seconds":0}',
                                      '{"user":"USER","job":"1","seconds":121}', '{"user":"USER","job":"1","seconds":2e1}', '{"user":"USER","job":"' + "x" * 65 + '","seconds":2}',
                                      '{"user":"USER","job":"1","seconds":1.5}', '{"x":"\\",\\"user\\":\\"USER\\"","job":"1","seconds":2}'], ids=repr)
def test_no_job(shared_demo, user, document):
    """a message that is no job starts nothing, and does not hold up those that are"""
    shared_demo.push_json(document.replace("USER", user), to="jobs", type="start")
    start(shared_demo, user, "good", 1)
    result(shared_demo, user, "good")
    assert {message["data"]["job"] for message in shared_demo.look(user, after=0)["messages"]} == {"good"}


def test_another_type(shared_demo, user):
    """the worker leaves messages of other types alone"""
    shared_demo.push_json(json.dumps({"user": user, "job": "1", "seconds": 1}), to="jobs", type="chat")
    start(shared_demo, user, "2", 1)
    result(shared_demo, user, "2")
    assert told(shared_demo, user, "1") == []


def test_blanks(shared_demo, user):
    """the members of a start message may come in any order and with blanks"""
    shared_demo.push_json('{ "seconds" : 1 , "job" : "spaced" ,\n "user" : "%s", "more": [1] }' % user, to="jobs", type="start")
    assert result(shared_demo, user, "spaced")[-1]["status"] == 0


def test_busy(demo, user):
    """ten of eleven jobs run, and the user of the last is told that all are busy"""
    for number in range(10):
        start(demo, user, f"job{number}", 120)
    start(demo, user, "late", 1)
    messages = result(demo, user, "late")
    assert messages[-1]["status"] == 75 and "busy" in messages[-1]["tail"][0]
    assert all(told(demo, user, f"job{number}")[-1]["state"] != "done" for number in range(10))


def test_stop(demo, user):
    """stop ends the jobs as well, tells their users, and leaves no process and no file"""
    start(demo, user, "long", 120)
    eventually(lambda: told(demo, user, "long"), "it has begun", deadline=PATIENCE)
    parked = demo.park(user, after=demo.look(user, after=0)["cursor"], client="page")
    ended = demo.service("stop")
    assert ended.returncode == 0 and re.search(r"^jobs: stopped$", ended.stdout, re.M), ended.stdout
    assert processes_in(demo.dir) == [] and not list((demo.dir / "jobs").glob("tmp.*"))
    parked.answer()
    assert demo.service("start").returncode == 0
    done = result(demo, user, "long")[-1]
    assert (done["status"], done["signal"]) == (143, "TERM")


def test_status(demo):
    """status has a line for the worker, and start starts it if it alone is missing"""
    assert re.search(rf"^jobs: runs, pid {demo.keeper('jobs')}$", demo.service("status").stdout, re.M)
    demo.end("jobs", signal.SIGKILL)
    ended = demo.service("status")
    assert ended.returncode == 3 and re.search(r"^jobs: does not run$", ended.stdout, re.M)
    before = demo.pids()
    ended = demo.service("start")
    assert ended.returncode == 0 and re.search(r"^jobs: started", ended.stdout, re.M) and demo.pids() == before


def test_kept_running(demo, user):
    """a worker that dies is started again, and goes on with the jobs that were pushed meanwhile"""
    demo.crash("jobs")
    start(demo, user, "1", 1)
    assert result(demo, user, "1")[-1]["status"] == 0


def test_killed_whole(demo, user):
    """after the worker and its keeper were killed, stop finds the processes and files that they left"""
    start(demo, user, "long", 120)
    eventually(lambda: told(demo, user, "long"), "it has begun", deadline=PATIENCE)
    demo.end("jobs", signal.SIGKILL)
    assert demo.service("stop").returncode == 0
    eventually(lambda: processes_in(demo.dir) == [], "nothing is left", deadline=PATIENCE)


def test_restart(demo, user):
    """a restart of the programs leaves a job alone: it goes on, and its result arrives"""
    start(demo, user, "1", 8)
    eventually(lambda: told(demo, user, "1"), "it has begun", deadline=PATIENCE)
    keeper = demo.keeper("jobs")
    assert demo.service("restart").returncode == 0
    assert result(demo, user, "1")[-1]["status"] == 0 and demo.keeper("jobs") == keeper


def test_watchers(demo, user):
    """with the demo the group watchers is told of users who come online"""
    demo.request("PUT", f"/groups/watchers/{user}")
    demo.look("newcomer")

    def seen():
        return [message["data"]["user"] for message in demo.look(user, after=0)["messages"] if message["type"] == "user.online"]

    eventually(lambda: "newcomer" in seen(), "the event has come", deadline=PATIENCE)


def test_no_demo(new_stack, user):
    """without the demo no worker runs, and none of its parts is mentioned"""
    stack = new_stack()
    assert "jobs" not in stack.service("status").stdout and stack.keeper("jobs") is None
    assert "jobs" not in stack.service("stop").stdout


def test_run_goes_on():
    """scripts/run goes on without the worker, says so, and leaves nothing at the end"""
    with Run(demo=1).ready() as run:
        keeper = run.pid("jobs")
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: re.search(r"^jobs: has ended; all else goes on", run.said(), re.M), "it has noticed", deadline=PATIENCE)
        assert run.process.poll() is None and all(alive(run.pid(part)) for part in PARTS)
        assert run.end() == 0
        eventually(lambda: processes_in(run.dir) == [], "nothing is left", deadline=PATIENCE)


@pytest.mark.parametrize("arguments", [[], ["0"], ["121"], ["x"], ["1", "2"]], ids=repr)
def test_report_usage(arguments):
    """the report takes 1 to 120 seconds"""
    ended = subprocess.run([SCRIPTS / "demo-report", *arguments], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
    assert ended.returncode == 2 and ended.stderr.endswith("see scripts/demo-report --help\n")
