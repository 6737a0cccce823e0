#!/usr/bin/env python3
"""Runs a farm of real processes under a seeded schedule of faults and checks that nothing is lost. Called by tests/chaos.sh.

A calm farm first makes every artifact once, and drills.py takes a small one through moments that chance seldom meets. Then clients export the same
models on a farm of two coordinators and four workers, while
  - each failpoint of common/base/failpoint.h kills its process once (a failpoint that is never hit fails the run),
  - daemons, converters, judges and zygotes are killed or stopped, Redis is restarted, paused, filled and flushed, connections are cut, delayed and
    silenced, the disk is filled, blobs are corrupted.
Clients are interrupted and killed too, and run again until their cells are there, as their users would.

Invariants: every run of a client ends; every requested cell is in a manifest whose hashes hold; artifacts are byte-equal to the calm farm's; a model that
can be converted never ends failed once the faults are over; no task is committed twice, none is told so in vain, each result is a blob; a worker that
lives and is not cut off keeps its leases; what comes back is served first; no task, lease, token or delay is left in Redis; daemons end on SIGTERM
with 0; no process and no scratch file is left. The seed decides models, requests and the schedule's order; threads' timing it cannot decide.

Exit: 0 without a violation, 1 with one (the folder with all logs is kept and named), 2 usage.
"""
import argparse
import ctypes
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import drills
import models
from farm import Farm, Violation, await_true, descendants_of
from world import KILL_PATIENCE, World

TARGETS = ("onnx", "tflite", "coreml", "ncnn")
CLIENTS = 3
STATES = {"P": "passed", "U": "unverified", "G": "parity_failed", "F": "failed", "C": "cancelled", "S": "skipped"}  # letters of a task's record
PR_SET_CHILD_SUBREAPER = 36
CLIENT_PATIENCE = 180  # seconds after which a client counts as hung
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def failpoints():
    """Every failpoint's name, from the table that the binaries are built from."""
    table = re.search(r"kFailpoints\[\] = \{(.*?)\};", (SOURCE / "common/base/failpoint.h").read_text(), re.S).group(1)
    return re.findall(r'"([a-z_.]+)"', table)


class Job:
    """One request of one user: models × targets into a folder of its own."""

    def __init__(self, random_, number, names):
        self.number = number
        self.models = random_.sample(names, random_.randint(1, 4))
        self.targets = random_.sample(TARGETS, random_.randint(1, len(TARGETS)))
        self.verify = random_.random() < 0.5
        self.trouble = random_.choice([None, None, "interrupt", "kill"])
        self.after = random_.uniform(0.05, 1.5)
        self.door = random_.getrandbits(8)  # whose coordinator is asked first; another run asks the next
        self.failpoint = None

    def cells(self):
        return len(self.models) * len(self.targets)


class Run:
    def __init__(self, options, seed, folder):
        self.options, self.seed, self.folder = options, seed, folder
        self.random = random.Random(seed)
        self.violations = []
        self.lock = threading.Lock()
        self.start = time.monotonic()
        self.calm_artifacts = {}
        self.cells = 0
        self.submissions = 0   # runs of clients
        self.requests = set()  # ids that clients were told
        self.untold = 0        # runs of clients that were told none
        self.ended = 0         # jobs
        self.schedule_over = threading.Event()

    def log(self, text):
        line = f"{time.monotonic() - self.start:7.2f} {text}"
        with self.lock, open(self.folder / "schedule.log", "a") as file:
            file.write(line + "\n")
        if self.options.verbose:
            print(line, flush=True)

    def violate(self, text):
        self.log(f"VIOLATION {text}")
        with self.lock:
            self.violations.append(text)

    # --- the calm farm

    def calm(self):
        folder = self.folder / "calm"
        farm = Farm(folder, self.options.bin, coordinators=1, workers=2, lease=15)
        try:
            good = [build.__name__ for build in models.GOOD]
            models.write(folder / "models", self.seed, good)
            client = farm.client(0, [str(folder / "models"), "--target", ",".join(TARGETS), "--precision", "fp32", "--out", str(folder / "out")])
            _, errors = client.communicate(timeout=CLIENT_PATIENCE)
            if client.returncode != 0:
                raise Violation(f"the calm farm's export ends with {client.returncode}: {errors[-1000:]}")
            self.calm_artifacts = self.artifacts(folder / "out")
        finally:
            problems = farm.end()
        if problems:
            raise Violation("the calm farm: " + "; ".join(problems))
        self.log(f"calm: {len(self.calm_artifacts)} artifacts")

    @staticmethod
    def artifacts(out):
        """(model, target) → {file: digest} of a manifest's passed and unverified cells."""
        manifest = json.loads((out / "manifest.json").read_text())
        return {(model["model"], artifact["target"]): {file["path"]: file["sha256"] for file in artifact["files"]}
                for model in manifest["models"] for artifact in model["artifacts"] if artifact["status"] in ("passed", "unverified")}

    # --- the drills

    def drill(self):
        folder = self.folder / "drills"
        farm = Farm(folder, self.options.bin, coordinators=1, workers=2, lease=1.5)
        try:
            for drill in drills.ALL:
                sources = folder / drill.__name__
                models.write(sources, self.seed, ["mlp", "residual", "head"], mark=drill.__name__)
                drill(farm, sources)
                self.log(f"drill {drill.__name__}")
        finally:
            problems = farm.end()
        if problems:
            raise Violation("the drills' farm: " + "; ".join(problems))

    # --- clients

    def serve(self, jobs):
        """One user after the other, until there is no job left and the schedule is over."""
        while True:
            with self.lock:
                job = next(jobs)
                if self.cells >= self.options.tasks and self.schedule_over.is_set():
                    return
                self.cells += job.cells()
            try:
                self.run_job(job)
                self.ended += 1
                shutil.rmtree(self.folder / "jobs" / str(job.number))
            except Violation as violation:
                self.violate(f"job {job.number} ({','.join(job.models)} × {','.join(job.targets)}): {violation}")
            except Exception as error:  # a bug of the suite must not look like a pass
                self.violate(f"job {job.number}: {error!r}")

    def run_job(self, job):
        folder = self.folder / "jobs" / str(job.number)
        folder.parent.mkdir(exist_ok=True)
        out = folder / "out"
        models.write(folder, self.seed, job.models, mark=str(job.number))
        arguments = [*(str(folder / f"{name}.onnx") for name in job.models), "--target", ",".join(job.targets), "--precision", "fp32", "--out", str(out)]
        if not job.verify:
            arguments.append("--no-verify")
        trouble, calm_tries = job.trouble, 0
        while True:
            settled = self.schedule_over.is_set()
            with self.lock:
                self.submissions += 1
            client = self.farm.client(job.door % len(self.farm.doors), arguments, f"{job.failpoint}=kill" if job.failpoint else "")
            first = ""
            if trouble == "interrupt" and not job.failpoint:
                while '"request_id"' not in (line := client.stdout.readline()) and line:
                    pass
                first = line
                time.sleep(job.after / 20)
                client.send_signal(signal.SIGINT)
            elif trouble and not job.failpoint:
                time.sleep(job.after)
                client.send_signal(signal.SIGKILL)
            try:
                output, errors = client.communicate(timeout=CLIENT_PATIENCE)
            except subprocess.TimeoutExpired:
                client.kill()
                raise Violation(f"its client has not ended after {CLIENT_PATIENCE} s") from None
            told = set(re.findall(r'"request_id":\s*"([^"]+)"', first + output))
            with self.lock:
                self.requests |= told
                self.untold += not told
            trouble = None
            job.door += 1
            if job.failpoint in self.farm.hits():
                job.failpoint = None
            self.log(f"job {job.number}: {client.returncode}")
            problem = self.check(job, out, client.returncode, errors)
            if problem is None:
                return
            calm_tries += settled
            if calm_tries >= 3:
                raise Violation(f"{problem} (three times after the last fault)")
            time.sleep(0.1)

    def check(self, job, out, code, errors):
        """None: all is there. A text: the user has to run it again. Raises what must never be."""
        if code not in (0, 1, 4, 5, 130, -signal.SIGKILL):
            raise Violation(f"exit {code}: {errors[-500:]}")
        if code in (5, 130, -signal.SIGKILL):
            return f"exit {code}: {errors[-300:]}"
        verified = subprocess.run([self.options.bin / "slipway", "verify", str(out)], text=True, capture_output=True)
        if verified.returncode != 0:
            raise Violation(f"slipway verify ends with {verified.returncode}: {verified.stdout[-300:]}{verified.stderr[-300:]}")
        manifest = json.loads((out / "manifest.json").read_text())
        cells = {(model["model"], artifact["target"]): artifact for model in manifest["models"] for artifact in model["artifacts"]}
        wanted = "passed" if job.verify else "unverified"
        again = None
        for model in job.models:
            for target in job.targets:
                cell = cells.get((model, target))
                if cell is None:
                    raise Violation(f"the manifest lacks {model} {target}")
                if model in models.BAD:
                    if cell["status"] != "failed" or not cell["reason"]:
                        raise Violation(f"{model} {target} is {cell['status']} ({cell['reason']})")
                elif cell["status"] == "failed" and cell["reason"]:
                    again = f"{model} {target}: {cell['reason']}"  # its attempts were used up by faults
                elif cell["status"] != wanted:
                    raise Violation(f"{model} {target} is {cell['status']}, not {wanted} ({cell['reason']})")
                elif {file["path"]: file["sha256"] for file in cell["files"]} != self.calm_artifacts[model, target]:
                    raise Violation(f"{model} {target} differs from the calm farm's artifact")
        return again

    # --- the schedule

    def supervise(self):
        """Starts again what has ended by itself, as systemd or Kubernetes would."""
        while not self.schedule_over.wait(0.3):
            for daemon in self.farm.daemons():
                if daemon.lock.acquire(blocking=False):
                    try:
                        if not daemon.alive():
                            self.log(f"{daemon.name} had ended with {daemon.process.returncode}")
                            daemon.start()
                    finally:
                        daemon.lock.release()

    def lane(self, name, events):
        for event in events:
            try:
                event()
            except Exception as error:
                self.violate(f"schedule, {name}: {error!r}")

    def failpoint_event(self, world, daemons, name, passage):
        def event():
            last = self.ended + 4 * KILL_PATIENCE
            while self.ended < last:
                daemon = self.random_daemon(daemons)
                if world.restart_at(daemon, name, passage) and name in self.farm.hits():
                    self.log(f"{daemon.name} died at {name}")
                    return
                time.sleep(0.5)  # it may not even have started: Redis or the disk may be full
            self.violate(f"failpoint {name} was never hit")
        return event

    def random_daemon(self, daemons):
        with self.lock:
            return self.random.choice(daemons)

    def schedule(self, world, points):
        """Three lanes that run side by side: failpoints of workers, of coordinators, and everything else."""
        lanes = {"workers": [], "coordinators": [], "world": []}
        for name in self.random.sample(points, len(points)):
            area = name.split(".")[0]
            if area == "client":
                continue
            at_worker = area == "worker" or (area == "store" and self.random.random() < 0.5)
            daemons = self.farm.workers if at_worker else self.farm.coordinators
            passage = 1 if name in ("worker.returning", "coordinator.cancelled") else self.random.randint(1, 3)
            lanes["workers" if at_worker else "coordinators"].append(self.failpoint_event(world, daemons, name, passage))
        events = list(World.EVENTS)
        self.random.shuffle(events)
        for event in events:
            rng = random.Random(self.random.getrandbits(64))
            pause = self.random.uniform(0.1, 0.6)

            def run(event=event, rng=rng, pause=pause):
                event(world, rng)
                time.sleep(pause)
            lanes["world"].append(run)
        return lanes

    def jobs(self, points):
        """Without end; the first ones have the clients' failpoints."""
        generator = random.Random(self.seed)
        client_points = [name for name in points if name.startswith("client.")]
        number = 0
        while True:
            job = Job(generator, number, models.names())
            # Two cells at least, so that it can die between them.
            if number % 2 == 1 and client_points:
                job.failpoint = client_points.pop()
                job.models, job.targets = ["mlp", "classifier"], list(TARGETS[:2])
            number += 1
            yield job

    def storm(self):
        points = failpoints()
        self.farm = Farm(self.folder / "storm", self.options.bin, coordinators=2, workers=4, lease=3, garbage_after=4)
        try:
            world = World(self.farm, self.log, lambda: self.ended)
            jobs = self.jobs(points)
            clients = [threading.Thread(target=self.serve, args=(jobs,)) for _ in range(CLIENTS)]
            lanes = [threading.Thread(target=self.lane, args=item) for item in self.schedule(world, points).items()]
            guards = [threading.Thread(target=self.supervise), threading.Thread(target=self.watch_order)]
            for thread in [*clients, *lanes, *guards]:
                thread.start()
            for thread in lanes:
                thread.join()
            self.log("the schedule is over")
            self.schedule_over.set()
            for thread in guards:
                thread.join()
            for daemon in self.farm.daemons():
                if not daemon.alive():
                    daemon.start()
            for thread in clients:
                thread.join()
            for name in sorted(set(points) - self.farm.hits()):
                self.violate(f"failpoint {name} was never hit")
            self.settle(world)
        finally:
            for problem in self.farm.end():
                self.violate(problem)

    def watch_order(self):
        """Looks again and again: a task that has been served waits at the head of its flow."""
        script = """
          for _, key in ipairs(redis.call('KEYS', '{slipway:0}:v*:ready:*')) do
            local prefix, id = string.match(key, '^(.*:)ready:[^:]+:([^:]+)$')
            for _, index in ipairs(redis.call('ZRANGE', key, 0, -1)) do
              local attempts = string.match(redis.call('HGET', prefix .. 'tasks:' .. id, index) or '', '^%a\n%d+\n(%d+)')
              if attempts and attempts ~= '0' and tonumber(redis.call('ZSCORE', key, index)) >= 0 then return id .. ' ' .. index end
            end
          end
          return ''"""
        while not self.schedule_over.wait(0.1):
            if found := self.farm.redis.command("EVAL", script, "0"):
                if len(found.split()) == 2:
                    self.violate(f"a returned task does not wait at the head of its flow: {found}")
                    return

    def settle(self, world):
        """Requests whose client was killed go on without it; when they have ended, nothing is held and everything is accounted for."""
        try:
            await_true(lambda: self.farm.open_tasks() == 0, 60, "every task ends")
        except Violation as violation:
            self.violate(f"{violation}: {self.farm.open_tasks()} are open")
        redis = self.farm.redis
        prefix = redis.prefix()
        for key, count in (("leases", "ZCARD"), ("tokens", "HLEN"), ("delayed", "ZCARD"), ("unfinished", "ZCARD"), ("deadlines", "ZCARD")):
            if (left := redis.command(count, prefix + key)) != "0":
                self.violate(f"{left} entries are left in {key}")
        pattern = prefix.replace("{", "[{]")
        for name in ("ready:*", "flows:*", "tenants:*", "blocked:*", "elsewhere:*"):
            if left := redis.lines("KEYS", pattern + name):
                self.violate(f"keys are left: {left[:3]}")
        # A lost answer is asked for again, with the same key: no second request.
        unknown = self.farm.requests() - self.requests
        if len(unknown) > self.untold:
            self.violate(f"{len(unknown)} requests that no client knows; {self.untold} runs of clients ended without having been told one")

        records = self.farm.records()
        for (request, task), states in self.farm.commits().items():
            if len(states) > 1:
                self.violate(f"task {task} of {request} was committed {len(states)} times")
            if (request, task) in records and STATES.get(records[request, task][0]) != states[0]:
                self.violate(f"task {task} of {request} was committed {states[0]}, but is {STATES.get(records[request, task][0])}")
        lost = {name.replace("/", "-") for name in self.farm.damaged()} | {name.replace("/", "-") for name in world.corrupted}
        stored = {path.name for path in (self.farm.store / "t").glob("*/[0-9a-f][0-9a-f]/*")}
        for (request, task), record in records.items():
            result = record[8].replace("/", "-")
            if result and result not in stored and result not in lost:
                self.violate(f"the result of task {task} of {request} is no blob")
        excused = self.farm.excused()
        for key in redis.lines("KEYS", pattern + "history:*"):
            for worker in set(re.findall(r"worker (\S+) lost its lease", redis.command("HVALS", key))) - excused:
                self.violate(f"{worker} lost a lease, though it lived and nothing held it up")

    def run(self):
        self.calm()
        self.drill()
        self.storm()
        time.sleep(0.2)
        while True:  # orphans that have ended are ours to reap
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
        for pid in descendants_of(os.getpid()):
            try:
                command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if command:
                self.violate(f"process {pid} is left: {command[:200]}")
                os.kill(pid, signal.SIGKILL)


def run_seed(options, seed):
    """Whether the run of one seed kept every promise."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-chaos-"))
    run = Run(options, seed, folder)
    try:
        run.run()
    except Violation as violation:
        run.violate(str(violation))
    seconds = time.monotonic() - run.start
    print(f"seed {seed}: {run.cells} cells, {run.submissions} runs of clients, {seconds:.0f} s, {len(run.violations)} violations", flush=True)
    for violation in run.violations:
        print(f"  {violation}")
    if run.violations or options.keep:
        print(f"logs: {folder} (schedule.log, storm/*.log)", flush=True)
    else:
        shutil.rmtree(folder)
    return not run.violations


def seeds(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main():
    parser = argparse.ArgumentParser(prog="tests/chaos.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=seeds, required=True, metavar="N[-M]", help="decides models, requests and the order of the faults; N-M: one run each")
    parser.add_argument("--tasks", type=int, default=300, help="cells that clients ask for, at least (default 300)")
    parser.add_argument("--bin", type=pathlib.Path, default=SOURCE / "build/bin", help="folder of the binaries (default build/bin)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with all logs even without a violation")
    parser.add_argument("--verbose", action="store_true", help="tell each event as it happens")
    options = parser.parse_args()
    options.bin = options.bin.resolve()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    kept = [run_seed(options, seed) for seed in options.seed]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
