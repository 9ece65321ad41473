# SPDX-License-Identifier: MIT
"""scripts/completion.bash, asked in bash as a press of TAB asks it."""

import re
import shutil
import subprocess

import pytest

from stack import ROOT, SCRIPTS, environment, new_directory

NAMES = ["run", "service", "test", "push", "poll", "run-job"]

# Does what bash does on TAB: looks up what was registered for the first word, else for the part after its last slash, and calls it.
TAB = r"""
. "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
registered=$(complete -p -- "$1" 2>/dev/null || complete -p -- "${1##*/}") || exit 9
function=${registered#*-F }; function=${function%% *}
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
for word in "${COMPREPLY[@]}"; do printf '%s\n' "$word"; done
"""


@pytest.fixture
def place():
    """A directory with a file and a folder whose names hold a blank."""
    directory = new_directory()
    (directory / "order one.json").write_text("{}")
    (directory / "order folder").mkdir()
    yield directory
    shutil.rmtree(directory)


def tab(*words, cwd=ROOT):
    """The completions offered for the last of the words."""
    ended = subprocess.run(["bash", "--norc", "-c", TAB, "tab", SCRIPTS / "completion.bash", *words], cwd=cwd, env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize("name", NAMES)
def test_options(name):
    """each script is offered exactly the options that its --help names"""
    usage = subprocess.run([SCRIPTS / name, "--help"], env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60).stdout
    described = set(re.findall(r"^ +(--?[a-z][a-z0-9-]*)", usage, re.M)) | set(re.findall(r"\[(--?[a-z][a-z0-9-]*)", usage)) | {"--help", "--version"}
    assert set(tab(f"scripts/{name}", "-")) == described


@pytest.mark.parametrize("typed", ["scripts/poll", "./scripts/poll", str(SCRIPTS / "poll"), "poll"])
def test_spellings(typed):
    """a script is completed however it is called"""
    assert tab(typed, "--cur") == ["--cursor-file"]


@pytest.mark.parametrize("name", ["service", "test", "run"])
def test_commands_of_the_system(name):
    """commands of the system with the name of a script are left alone"""
    ended = subprocess.run(["bash", "--norc", "-c", f". '{SCRIPTS}/completion.bash'; complete -p {name}"], env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode != 0 and ended.stdout == ""


def test_verbs():
    """scripts/service is offered its verbs, and options after them"""
    assert sorted(tab("scripts/service", "")) == ["restart", "start", "status", "stop"]
    assert sorted(tab("scripts/service", "sta")) == ["start", "status"]
    assert tab("scripts/service", "start", "--d") == ["--dir"]


def test_files(place):
    """if a value is a file or a directory those are offered, with any name"""
    where = str(SCRIPTS / "push")
    assert sorted(tab(where, "--file", "ord", cwd=place)) == ["order folder", "order one.json"]
    assert tab(str(SCRIPTS / "run"), "--dir", "ord", cwd=place) == ["order folder"]
    assert sorted(tab(str(SCRIPTS / "poll"), "--token-file", "", cwd=place)) == ["order folder", "order one.json"]


def test_values_behind_equals(place):
    """a value after = is completed like a word of its own, though bash splits such a word in three"""
    where = str(SCRIPTS / "push")
    assert sorted(tab(where, "--file", "=", "ord", cwd=place)) == ["order folder", "order one.json"]
    assert sorted(tab(where, "--file", "=", cwd=place)) == ["order folder", "order one.json"]
    assert tab(str(SCRIPTS / "run"), "--dir", "=", "ord", cwd=place) == ["order folder"]
    assert tab(where, "--type", "=", "ord", cwd=place) == []


def test_free_values():
    """if a value may be anything nothing is offered"""
    assert tab("scripts/push", "--type", "-") == [] and tab("scripts/run", "--port", "") == [] and tab("scripts/push", "al") == []


def test_command(place):
    """after -- run-job is offered commands, and then files"""
    assert "sleep" in tab("scripts/run-job", "alice", "--", "slee")
    assert tab(str(SCRIPTS / "run-job"), "alice", "--", "cat", "order o", cwd=place) == ["order one.json"]
    assert tab("scripts/run-job", "alice", "--qui") == ["--quiet"]


def test_nothing_is_run(place):
    """a press of TAB runs no part of the line"""
    trap = place / "push"
    trap.write_text(f"#!/bin/sh\n: >'{place}/ran'\n")
    trap.chmod(0o755)
    assert tab(str(trap), "--t", cwd=place) == ["--type", "--ttl"]
    assert tab("push", "--file", "$(: >ran)`: >ran`", cwd=place) == []
    assert not (place / "ran").exists()


def test_letterbox():
    """letterbox is offered its verbs, and after push, poll and job the options of the scripts"""
    assert sorted(tab("letterbox", "")) == ["check", "job", "poll", "push", "status"]
    assert sorted(tab("scripts/letterbox", "--")) == ["--help", "--version"]
    assert tab("letterbox", "p") == ["push", "poll"]
    assert tab("letterbox", "poll", "--cur") == tab("poll", "--cur") == ["--cursor-file"]
    assert tab("letterbox", "job", "alice", "--qui") == ["--quiet"]
    assert "sleep" in tab("letterbox", "job", "alice", "--", "slee")
    assert tab("letterbox", "status", "") == tab("letterbox", "nonsense", "--") == []


def test_installed():
    """the file that make install lays out completes letterbox, and leaves other commands with the names of scripts alone"""
    text = (SCRIPTS / "completion.bash").read_text().partition("\n# In the repository")[0]
    ended = subprocess.run(["bash", "--norc", "-c", text + "\ncomplete -p"], env=environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("complete -F _letterbox_command letterbox\n", "")
