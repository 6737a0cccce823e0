#!/usr/bin/env python3
"""Every metric in the sources is in docs/operations.md with its type and labels, and the other way round; names follow Prometheus."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["common", "coordinator", "worker"]
DEFINITION = re.compile(r'metrics::(Counter|Gauge|Histogram)\s+\w+\(\s*"([a-z_]+)"((?:[^"()]|"(?:[^"\\]|\\.)*"|\([^()]*\))*)\);')
LIBRARY = re.compile(r'^const (Counter|Gauge|Histogram)\s+\w+\(\s*"([a-z_]+)"((?:[^"()]|"(?:[^"\\]|\\.)*"|\([^()]*\))*)\);', re.M)
ROW = re.compile(r"^\| `([a-z_]+)(?:\{([a-z,]+)\})?` \| (counter|gauge|histogram) \| \S", re.M)


def labels(rest):
    """The list in braces behind the help: {"method", "code"}."""
    braces = re.search(r"\{([^{}]*)\}\s*$", rest)
    return ",".join(re.findall(r'"([a-z]+)"', braces.group(1))) if braces else ""


def main():
    defined, wrong = {}, []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.cc")):
            pattern = LIBRARY if path.parent == ROOT / "common" / "metrics" else DEFINITION
            text = path.read_text()
            if "metrics/metrics.h" not in text:
                continue
            for kind, name, rest in pattern.findall(text):
                defined[name] = (kind.lower(), labels(rest))
            # A definition that the pattern cannot read would go unchecked.
            for name in re.findall(r'"(slipway_[a-z_]+)"', text):
                if name not in defined:
                    wrong.append(f"{path.relative_to(ROOT)}: {name} is no plain definition")
    documented = {name: (kind, label or "") for name, label, kind in ROW.findall((ROOT / "docs" / "operations.md").read_text())}
    for name in sorted(defined.keys() | documented.keys()):
        if defined.get(name) != documented.get(name):
            wrong.append(f"{name}: the sources say {defined.get(name)}, docs/operations.md says {documented.get(name)}")
    for name, (kind, _) in sorted(defined.items()):
        if (kind == "counter") != name.endswith("_total"):
            wrong.append(f"{name}: _total is what counters end in, and nothing else")
        if kind == "histogram" and not name.endswith("_seconds"):
            wrong.append(f"{name}: a histogram here is of seconds")
    if len(defined) < 20:
        wrong.append(f"only {len(defined)} metrics found")
    print("\n".join(wrong) or f"{len(defined)} metrics")
    return 1 if wrong else 0


sys.exit(main())
