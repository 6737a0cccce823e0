"""The run of one seed: a calm farm, the drills, the storm; then the invariants, as chaos.py names them."""
import os
import pathlib
import random
import re
import signal
import threading
import time

import drills
import models
from farm import Farm, Violation, await_true, descendants_of
from users import PATIENCE, TARGETS, Job, Users, artifacts
from world import KILL_PATIENCE, World

STATES = {"P": "passed", "U": "unverified", "G": "parity_failed", "F": "failed", "C": "cancelled", "S": "skipped"}  # letters of a task's record
GARBAGE_AFTER = {"local": 4, "s3": 12}  # seconds; a bucket's pins hold no longer than that, and must outlive a commit that Redis delays
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def failpoints():
    """Every failpoint's name, from the table that the binaries are built from."""
    table = re.search(r"kFailpoints\[\] = \{(.*?)\};", (SOURCE / "common/base/failpoint.h").read_text(), re.S).group(1)
    return re.findall(r'"([a-z_.]+)"', table)


class Run:
    def __init__(self, options, seed, folder):
        self.options, self.seed, self.folder = options, seed, folder
        self.random = random.Random(seed)
        self.violations = []
        self.lock = threading.Lock()
        self.start = time.monotonic()
        self.calm_artifacts = {}
        self.users = None

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
        farm = Farm(folder, self.options, coordinators=1, workers=2, lease=15)
        try:
            good = [build.__name__ for build in models.GOOD]
            models.write(folder / "models", self.seed, good)
            client = farm.client([0], [str(folder / "models"), "--target", ",".join(TARGETS), "--precision", "fp32", "--out", str(folder / "out")])
            _, errors = client.communicate(timeout=PATIENCE)
            if client.returncode != 0:
                raise Violation(f"the calm farm's export ends with {client.returncode}: {errors[-1000:]}")
            self.calm_artifacts = artifacts(folder / "out")
        finally:
            problems = farm.end()
        if problems:
            raise Violation("the calm farm: " + "; ".join(problems))
        self.log(f"calm: {len(self.calm_artifacts)} artifacts")

    # --- the drills

    def drill(self):
        folder = self.folder / "drills"
        farm = Farm(folder, self.options, coordinators=2, workers=2, lease=1.5)
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

    # --- the schedule

    def supervise(self):
        """Starts again what has ended by itself, as systemd or Kubernetes would."""
        while not self.users.schedule_over.wait(0.3):
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
            last = self.users.ended + 4 * KILL_PATIENCE
            while self.users.ended < last:
                daemon = self.random_daemon(daemons)
                if world.restart_at(daemon, name, passage) and name in self.farm.hits():
                    self.log(f"{daemon.name} died at {name}")
                    return
                time.sleep(0.5)  # it may not even have started: Redis or the disk may be full
        return event

    def random_daemon(self, daemons):
        with self.lock:
            return self.random.choice(daemons)

    def schedule(self, world, points):
        """Lanes that run side by side: failpoints of workers, failpoints of coordinators, and each row of the world's events."""
        lanes = {"workers": [], "coordinators": []}
        for name in self.random.sample(points, len(points)):
            area = name.split(".")[0]
            if area == "client":
                continue
            at_worker = area == "worker" or (area == "store" and self.random.random() < 0.5)
            daemons = self.farm.workers if at_worker else self.farm.coordinators
            passage = 1 if name in ("worker.returning", "coordinator.cancelled") else self.random.randint(1, 3)
            lanes["workers" if at_worker else "coordinators"].append(self.failpoint_event(world, daemons, name, passage))
        for row, events in World.EVENTS.items():
            if row != "store" or self.farm.store.address:
                lanes[row] = self.in_any_order(world, events)
        return lanes

    def in_any_order(self, world, events):
        lane = []
        for event in self.random.sample(events, len(events)):
            rng = random.Random(self.random.getrandbits(64))
            pause = self.random.uniform(0.1, 0.6)

            def run(event=event, rng=rng, pause=pause):
                event(world, rng)
                time.sleep(pause)
            lane.append(run)
        return lane

    def jobs(self, points):
        """Without end; the first ones have the clients' failpoints."""
        generator = random.Random(self.seed)
        client_points = [name for name in points if name.startswith("client.")]
        common = [Job(generator, 0, models.names()) for _ in range(3)] if self.options.shared else []
        number = 0
        while True:
            job = Job(generator, number, models.names())
            # Two cells at least, so that it can die between them.
            if number % 2 == 1 and client_points:
                job.failpoint = client_points.pop()
                job.models, job.targets = ["mlp", "classifier"], list(TARGETS[:2])
            elif common and generator.random() < 0.6:
                job.share(generator.choice(common))
            number += 1
            yield job

    def storm(self):
        points = failpoints()
        self.farm = Farm(self.folder / "storm", self.options, coordinators=2, workers=4, lease=3, garbage_after=GARBAGE_AFTER[self.options.store],
                         fsync=self.options.fsync, keeping=self.options.shared)
        try:
            self.users = Users(self, self.farm, self.jobs(points))
            world = World(self.farm, self.log, lambda: self.users.ended)
            lanes = [threading.Thread(target=self.lane, args=item) for item in self.schedule(world, points).items()]
            guards = [threading.Thread(target=self.supervise), threading.Thread(target=self.watch_order)]
            for thread in [*self.users.threads, *lanes, *guards]:
                thread.start()
            for thread in lanes:
                thread.join()
            self.log("the schedule is over")
            self.users.schedule_over.set()
            for thread in guards:
                thread.join()
            for daemon in self.farm.daemons():
                if not daemon.alive():
                    daemon.start()
            for thread in self.users.threads:
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
              local attempts = string.match(redis.call('HGET', prefix .. 'request:' .. id, index) or '', '^%a\n%d+\n(%d+)')
              if attempts and attempts ~= '0' and tonumber(redis.call('ZSCORE', key, index)) >= 0 then return id .. ' ' .. index end
            end
          end
          return ''"""
        while not self.users.schedule_over.wait(0.1):
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
        unknown = self.farm.requests() - self.users.requests
        if len(unknown) > self.users.untold:
            self.violate(f"{len(unknown)} requests that no client knows; {self.users.untold} runs of clients ended without having been told one")

        records = self.farm.records()
        for (request, task), commits in self.farm.commits().items():
            for (first, _), (second, _) in zip(commits, commits[1:]):
                # A Redis that writes its log once a second forgets, killed, what it had acknowledged.
                if redis.fsync == "always" or not any(first < killed < second for killed in world.redis_killed):
                    self.violate(f"task {task} of {request} was committed again at {second:%T.%f}")
            if (request, task) in records and STATES.get(records[request, task][0]) != commits[-1][1]:
                self.violate(f"task {task} of {request} was committed {commits[-1][1]}, but is {STATES.get(records[request, task][0])}")
        lost = {name.replace("/", "-") for name in self.farm.damaged()} | world.corrupted
        for name in sorted(lost - world.corrupted):
            self.violate(f"{name} was dropped as damaged, but nobody had damaged it")
        stored = {blob.name for blob in self.farm.store.blobs()}
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
