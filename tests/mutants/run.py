#!/usr/bin/env python3
"""Applies each patch in this folder to a copy of the tree, builds what its test needs and checks that the test turns red.

Usage: tests/mutants/run.py [PATCH...]     (default: all; tests/run.sh sets the environment the tests need)

A patch's first line names its test: "# Test: <regular expression of ctest names>". The same tests must pass without the patch.
The copy keeps its own build tree (build/mutants), so that only what a patch touches is built again.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build" / "mutants"
SOURCE = COPY / "source"
BUILD = COPY / "build"


def run(*command, **options):
    return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def sync():
    """Makes SOURCE equal to the tracked files; those that did not change keep their times, so that nothing is built twice."""
    names = run("git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard").stdout.split("\n")
    wanted = {name for name in names if name and (ROOT / name).is_file()}
    for path in [p for p in SOURCE.rglob("*") if p.is_file()]:
        if path.relative_to(SOURCE).as_posix() not in wanted:
            path.unlink()
    for name in wanted:
        source, copy = ROOT / name, SOURCE / name
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)


def targets(pattern):
    """What the tests need: of GoogleTest areas their binaries (which bring the daemons that they run), of chaos the daemons; of any other test, all."""
    names = []
    for area in re.findall(r"(?:^\^?|[(|])([a-z_/]+)\.", pattern):
        if area == "chaos":
            names += ["slipway", "slipway-coordinator", "slipway-worker"]
        elif list((ROOT / "tests" / area).glob("*_test.cc")):
            names.append(area.replace("/", "_") + "_test")
        else:
            return []
    return ["--target", *names] if names else []


def build(pattern):
    if not (BUILD / "build.ninja").exists():
        configured = run("cmake", "-S", str(SOURCE), "-B", str(BUILD), "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1",
                         "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        if configured.returncode != 0:
            sys.exit(configured.stdout)
    environment = dict(os.environ, CCACHE_BASEDIR=str(SOURCE))
    return run("cmake", "--build", str(BUILD), *targets(pattern), env=environment)


def ctest(pattern):
    return run("ctest", "--test-dir", str(BUILD), "--no-tests=error", "--output-on-failure", "-R", pattern)


def check(patch):
    """'' when the patch turns its test red, else what went wrong."""
    first = patch.read_text().split("\n", 1)[0]
    named = re.fullmatch(r"# Test: (\S+)", first)
    if not named:
        return "its first line does not say '# Test: <ctest name>'"
    pattern = named.group(1)
    sync()
    built = build(pattern)
    if built.returncode != 0:
        return "the tree does not build without it:\n" + built.stdout[-3000:]
    before = ctest(pattern)
    if before.returncode != 0:
        return f"'{pattern}' does not pass without it:\n" + before.stdout[-3000:]
    applied = run("git", "apply", "--unsafe-paths", "--directory", str(SOURCE.relative_to(ROOT)), str(patch), cwd=ROOT)
    if applied.returncode != 0:
        return "it does not apply: " + applied.stdout
    built = build(pattern)
    if built.returncode != 0:
        return "the tree does not build with it:\n" + built.stdout[-3000:]
    return "" if ctest(pattern).returncode != 0 else f"'{pattern}' stays green with it"


def main():
    patches = [pathlib.Path(p).resolve() for p in sys.argv[1:]] or sorted(pathlib.Path(__file__).parent.glob("*.patch"))
    SOURCE.mkdir(parents=True, exist_ok=True)
    failures = 0
    for patch in patches:
        problem = check(patch)
        print(f"{patch.stem}: {'red, as it must' if not problem else problem}", flush=True)
        failures += bool(problem)
    sync()
    return 1 if failures or not patches else 0


if __name__ == "__main__":
    sys.exit(main())
