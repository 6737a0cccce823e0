#!/usr/bin/env python3
"""Runs a fuzz target: run.py BINARY FOUND SEEDS REGRESSIONS OPTION...

What it finds new goes to FOUND; a crash, hang or blow-up leaves its input beside it (crash-*, timeout-*, oom-*): made small, it belongs
into REGRESSIONS with its mend. Fails when the target fails or when there is nothing to begin with.
"""
import pathlib
import subprocess
import sys

binary, found, seeds, regressions, *options = sys.argv[1:]
if len(list(pathlib.Path(seeds).iterdir())) < 3:
    sys.exit(f"{seeds}: too few seeds")
corpora = [found, seeds] + ([regressions] if pathlib.Path(regressions).is_dir() else [])
pathlib.Path(found).mkdir(parents=True, exist_ok=True)
prefix = pathlib.Path(found).parent / (pathlib.Path(found).name + "-")
sys.exit(subprocess.run([binary, f"-artifact_prefix={prefix}", *options, *corpora]).returncode != 0)
