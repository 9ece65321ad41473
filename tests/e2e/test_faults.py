# SPDX-License-Identifier: MIT
"""Faults strike while 190 clients poll and pushers push; afterwards their ledger and Letterbox agree."""

import resource

import pytest

from faults import EVERYTHING, FAULTS, KINDS, Report, Scene, over_cluster, prepare, trial
from load import Load

SECONDS = {EVERYTHING: 10}
SEED = 4
RECOVERS = 10  # seconds after the last blow, within which every client has heard the last word
FEW = 100  # descriptors


# A fault that strikes at programs is another one if there are two of them.
ONE = [name for name in FAULTS if name not in ("kill-push", *KINDS["cluster"])] + [EVERYTHING]
TWO = [*KINDS["programs"], EVERYTHING]
CASES = [pytest.param(0, name, id=name) for name in ONE] + [pytest.param(1, name, id=f"{name}, two programs") for name in TWO]


@pytest.mark.parametrize("apart, name", CASES)
def test_fault(new_stack, capsys, apart, name):
    """whatever fails, no accepted push is lost, doubled or out of order, and everything recovers by itself"""
    report = trial(prepare(new_stack(workers=3, apart=apart)), name, SEED, SECONDS.get(name, 2.5))
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.broken
    assert report.recovered < RECOVERS


@pytest.mark.parametrize("name", [*KINDS["cluster"], EVERYTHING])
def test_fault_of_a_cluster(new_stack, capsys, name):
    """whatever fails over a cluster, no accepted push is lost, doubled or out of order, and everything recovers by itself"""
    report = trial(prepare(new_stack(workers=3, **over_cluster())), name, SEED, 5)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.broken
    assert report.recovered < RECOVERS


def test_few_descriptors(either_stack, capsys):
    """programs that may open half as many files as there are clients serve them all, one after the other"""
    stack = either_stack

    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))

    for part in stack.programs:
        stack.replace(part, preexec_fn=few, workers=3, open=1)
    with Load(stack.port, SEED, waits=(1, 2)) as load:
        scene = Scene(stack, load, SEED)
        scene.passes(2, 2)
        # If a kept connection closes under its request, nginx asks once more: without a cursor that may cost an answer.
        load.settle(blows=1)
        report = Report("few-descriptors", SEED, scene, load)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.broken
