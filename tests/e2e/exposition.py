# SPDX-License-Identifier: MIT
"""A strict reader of Prometheus' text exposition format 0.0.4: any departure from its rules is an AssertionError."""

import math
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"'
HELP_LINE = re.compile(rf"# HELP ({NAME}) ((?:[^\\\n]|\\[\\n])+)")
TYPE_LINE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram)")
SAMPLE_LINE = re.compile(rf"(?P<name>{NAME})(?:\{{(?P<labels>{LABEL}(?:,{LABEL})*)\}})? (?P<number>-?[0-9]+(?:\.[0-9]+)?)")
UNESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


class Metric:
    def __init__(self, name, kind, help):
        self.name = name
        self.kind = kind
        self.help = help
        self.samples = {}  # (name, labels as sorted pairs) -> value, in the order they came

    def value(self, **labels):
        """The one value with these labels; 0 for a counter that has not counted yet."""
        return self.samples.get((self.name, tuple(sorted(labels.items()))), 0.0)


def read(text):
    """The metrics of a text by their names."""
    assert text.endswith("\n") and not text.endswith("\n\n"), "the last line ends, and is not empty"
    metrics = {}
    lines = iter(text[:-1].split("\n"))
    metric = None
    for line in lines:
        if not line.startswith("#"):
            assert metric, f"a sample before any metric: {line!r}"
            add_sample(metric, line)
            continue
        helped = HELP_LINE.fullmatch(line)
        assert helped, f"not a HELP line: {line!r}"
        typed = TYPE_LINE.fullmatch(next(lines))
        assert typed and typed[1] == helped[1], f"no TYPE line behind {line!r}"
        assert helped[1] not in metrics, f"{helped[1]} comes twice"
        metric = metrics[helped[1]] = Metric(helped[1], typed[2], helped[2])
    for metric in metrics.values():
        check(metric)
    return metrics


def add_sample(metric, line):
    match = SAMPLE_LINE.fullmatch(line)
    assert match, f"not a sample: {line!r}"
    pairs = [(name, re.sub(r"\\.", lambda escape: UNESCAPED[escape[0]], value)) for name, value in re.findall(LABEL, match["labels"] or "")]
    names = [name for name, _ in pairs]
    assert len(set(names)) == len(names) and not any(name.startswith("__") for name in names), line
    key = match["name"], tuple(sorted(pairs))
    assert key not in metric.samples, f"the same sample twice: {line!r}"
    metric.samples[key] = float(match["number"])


def check(metric):
    names = {name for name, _ in metric.samples}
    if metric.kind == "histogram":
        check_histogram(metric, names)
        return
    assert names <= {metric.name}, f"samples of {names} among those of {metric.name}"
    assert metric.name.endswith("_total") is (metric.kind == "counter"), f"{metric.name} is a {metric.kind}"
    if metric.kind == "counter":
        assert all(value >= 0 and math.isfinite(value) for value in metric.samples.values()), metric.samples


def check_histogram(metric, names):
    """Checks a histogram without labels of its own: rising bounds and counts, a count and a sum."""
    assert names == {metric.name + suffix for suffix in ("_bucket", "_sum", "_count")}, names
    buckets = [(float(dict(labels)["le"]), value) for (name, labels), value in metric.samples.items() if name.endswith("_bucket")]
    bounds, counts = zip(*buckets)
    assert list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, bounds
    assert list(counts) == sorted(counts), counts
    assert counts[-1] == metric.samples[metric.name + "_count", ()], metric.samples
    assert metric.samples[metric.name + "_sum", ()] >= 0


def only_grew(before, after):
    """True if no counter has become less, and none has gone."""
    for name, old in before.items():
        if old.kind == "gauge":
            continue
        for key, value in old.samples.items():
            assert after[name].samples.get(key, -1) >= value, f"{key} was {value}, is {after[name].samples.get(key)}"
    return True
