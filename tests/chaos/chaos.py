#!/usr/bin/env python3
"""Runs a farm of real processes under a seeded schedule of faults and checks that nothing is lost. Called by tests/chaos.sh.

Each seed runs in a process and in namespaces of its own. A calm farm first makes every artifact once, and drills.py takes a small one through moments
that chance seldom meets. Then clients export the same models on a farm of two coordinators and four workers, while
  - each failpoint of common/base/failpoint.h kills its process once (a failpoint that is never hit fails the run),
  - daemons, converters, judges and zygotes are killed or stopped, Redis is restarted, paused, filled and flushed, a store's server killed and stopped,
    connections are cut, delayed and silenced, a store's answers garbled, the disk is filled, blobs are corrupted.
Clients are interrupted and killed too, and run again until their cells are there, as their users would.

Invariants: every run of a client ends; it gives up only where no coordinator that it knew could serve it; every requested cell is in a manifest whose
hashes hold; artifacts are byte-equal to the calm farm's; a model that can be converted never ends failed once the faults are over; no task is committed
twice (but where Redis, killed, may forget), none is told so in vain, each result is a blob; no blob is dropped that nobody damaged; a worker that lives and is not cut off keeps its leases;
what comes back is served first; no task, lease, token or delay is left in Redis; daemons end on SIGTERM with 0; no process and no scratch file is left.
The seed decides the farm's kind, models, requests and the schedule's order; threads' timing it cannot decide.

Exit: 0 without a violation, 1 with one (the folder with all logs is kept and named), 2 usage, 130 interrupted.
"""
import argparse
import copy
import ctypes
import fcntl
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

from farm import STORES, Violation, descendants_of
from run import SOURCE, Run

PR_SET_CHILD_SUBREAPER = 36
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
NAMESPACES = ("unshare", "--map-root-user", "--mount", "--net")  # a disk that can be filled; servers at ports of their own


# --- one seed, in its namespaces

def choose(options, seed):
    """What the seed decides of the farm, unless told: sixteen seeds in a row have every combination."""
    chosen = copy.copy(options)
    chosen.store = options.store or ("local", "s3")[seed & 1 ^ 1]
    chosen.tls = bool(seed & 2) if options.tls is None else options.tls
    chosen.fsync = options.fsync or ("always", "everysec")[seed >> 2 & 1]
    chosen.shared = bool(seed & 8) if options.shared is None else options.shared
    return chosen


def run_seed(options, seed):
    """Whether the run of one seed kept every promise."""
    with socket.socket() as loopback:
        fcntl.ioctl(loopback, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    options = choose(options, seed)
    run = Run(options, seed, options.folder)
    try:
        run.run()
    except Violation as violation:
        run.violate(str(violation))
    lines = [f"seed {seed} ({options.store}{', tls' if options.tls else ''}, {options.fsync}{', shared' if options.shared else ''}): {run.users.cells if run.users else 0} cells, "
             f"{run.users.submissions if run.users else 0} runs of clients, {time.monotonic() - run.start:.0f} s, {len(run.violations)} violations",
             *(f"  {violation}" for violation in run.violations)]
    print("\n".join(lines), flush=True)
    return not run.violations


# --- many seeds

class Seeds:
    """Runs seeds side by side, each in a process of its own; `violated` are those that broke a promise."""

    def __init__(self, options):
        self.options, self.running, self.violated = options, {}, []  # running: process → (seed, folder)

    def run(self):
        try:
            for seed in self.options.seed:
                self.await_fewer_than(self.options.jobs)
                self.start(seed)
            self.await_fewer_than(1)
        except BaseException:
            self.kill()
            raise

    def start(self, seed):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-chaos-"))
        command = [*NAMESPACES, sys.executable, __file__, *sys.argv[1:], "--seed", str(seed), "--folder", str(folder)]
        self.running[subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)] = seed, folder

    def await_fewer_than(self, count):
        while len(self.running) >= count:
            for process in [process for process in self.running if process.poll() is not None]:
                seed, folder = self.running.pop(process)
                if process.returncode != 0:
                    self.violated.append(seed)
                    if process.returncode != 1:
                        print(f"seed {seed}: the run itself ended with {process.returncode}", flush=True)
                if process.returncode != 0 or self.options.keep:
                    print(f"logs of seed {seed}: {folder} (schedule.log, storm/*.log)", flush=True)
                else:
                    shutil.rmtree(folder)
            time.sleep(0.1)

    def kill(self):
        """All of it: what a killed run leaves comes to this process, whoever began it. Mounts end with the last process of their namespace."""
        while left := [pid for pid in descendants_of(os.getpid()) if not is_zombie(pid)]:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)
        for _, folder in self.running.values():
            shutil.rmtree(folder)


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def seeds(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def positive(text):
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main():
    parser = argparse.ArgumentParser(prog="tests/chaos.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=seeds, required=True, metavar="N[-M]", help="decides models, requests and the order of the faults; N-M: one run each")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="seeds that run at a time (default 1)")
    parser.add_argument("--tasks", type=int, default=300, help="cells that clients ask for, at least (default 300)")
    parser.add_argument("--store", choices=STORES, help="a folder, or a bucket of rclone's S3 server (default: the seed decides)")
    parser.add_argument("--tls", action=argparse.BooleanOptionalAction, help="TLS and tokens at the coordinators, TLS at Redis (default: the seed decides)")
    parser.add_argument("--fsync", choices=("always", "everysec"), help="Redis' appendfsync during the storm (default: the seed decides)")
    parser.add_argument("--shared", action=argparse.BooleanOptionalAction,
                        help="users ask for the same again and again, workers keep results (default: the seed decides)")
    parser.add_argument("--bin", type=pathlib.Path, default=SOURCE / "build/bin", help="folder of the binaries (default build/bin)")
    parser.add_argument("--keep", action="store_true", help="keep the folders with all logs even without a violation")
    parser.add_argument("--verbose", action="store_true", help="tell each event as it happens")
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)  # of one seed, by this program itself
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if options.folder:
        return 0 if run_seed(options, options.seed[0]) else 1
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell, starting it in the background, has SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    row = Seeds(options)
    try:
        row.run()
    except KeyboardInterrupt:
        return 130
    print(f"{len(options.seed)} seeds, {len(row.violated)} with violations" + "".join(f" {seed}" for seed in sorted(row.violated)), flush=True)
    return 1 if row.violated else 0


if __name__ == "__main__":
    sys.exit(main())
