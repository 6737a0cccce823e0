"""The processes of a farm, each one real: Redis behind a proxy, coordinators, workers, clients. All can be killed and started again."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from proxy import Proxy



class Violation(Exception):
    """An invariant does not hold."""


def await_true(condition, patience, what):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise Violation(f"{what}: not within {patience} s")
        time.sleep(0.02)


class Daemon:
    """One place in the farm, filled by one process after the other, with a way to Redis of its own. Its log goes on through all of them."""

    def __init__(self, farm, name, binary, arguments):
        self.farm, self.name, self.binary = farm, name, binary
        self.redis = Proxy(farm.redis.socket)
        self.arguments = [*arguments, "--redis", self.redis.address, "--redis-user", "slipway", "--redis-password-file", str(farm.redis.password),
                          "--store", str(farm.store), "--lease", str(farm.lease), "--log-level", "debug"]
        self.log = farm.folder / f"{name}.log"
        self.process = None
        self.id = None        # what it calls itself in the queue (workers)
        self.excused = set()  # ids that may have lost leases: they were killed, stopped or cut off
        self.lock = threading.RLock()  # held while a schedule does something to it

    def start(self, failpoints="", arguments=()):
        """Starts it with `failpoints` armed and further arguments, and waits until it says that it is ready, or has died at one of them."""
        environment = dict(os.environ, SLIPWAY_FAILPOINTS=failpoints, SLIPWAY_FAILPOINT_LOG=str(self.farm.hits_log))
        read, write = os.pipe()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.binary, *self.arguments, *arguments, "--ready-fd", str(write)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            pass_fds=[write], env=environment, start_new_session=True)
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            words = ready.readline().decode().split()
        if words:
            self.id = words[-1]
            if failpoints:
                self.excuse()
        return bool(words)

    def text(self):
        """Its log."""
        return self.log.read_text(errors="replace")

    def excuse(self):
        self.excused.add(self.id)

    def stopped(self):
        """Whether a signal holds it."""
        return pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, number=signal.SIGKILL):
        if self.alive():
            if number != signal.SIGTERM:
                self.excuse()
            self.process.send_signal(number)

    def wait(self, patience):
        """Its exit code; None if it has not ended by then."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        """As an operator does it: it must leave by itself, with 0."""
        if not self.alive():
            return
        self.kill(signal.SIGTERM)
        code = self.wait(30)
        if code != 0:
            self.kill()
            raise Violation(f"{self.name}: SIGTERM ended it with {code}")


class Redis:
    def __init__(self, folder):
        self.folder = folder
        self.socket = str(folder / "redis.sock")
        self.password = folder / "redis.password"
        self.password.write_text("chaos\n")
        self.process = None

    def start(self):
        # Every write is on disk before it is acknowledged: a kill -9 takes nothing back that anyone was told.
        config = f"port 0\nunixsocket {self.socket}\ndir {self.folder}\nappendonly yes\nappendfsync always\nsave ''\nmaxmemory-policy noeviction\n"
        # The daemons may do what the manual says that they need, and no more.
        manual = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
        config += re.search(r"^user slipway on .*$", manual.read_text(), re.MULTILINE)[0].replace("PASSWORD", "chaos") + "\n"
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen(["redis-server", "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        self.process.stdin.write(config.encode())
        self.process.stdin.close()
        await_true(lambda: self.command("PING") == "PONG", 20, "redis-server answers")

    def command(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.strip()

    def lines(self, *words):
        text = self.command(*words)
        return text.split("\n") if text else []

    def prefix(self):
        """What the farm's keys begin with."""
        return self.command("EVAL", "return redis.call('KEYS', '{slipway:0}:v*:meta')[1]", "0").removesuffix("meta")

    def signal(self, number):
        self.process.send_signal(number)

    def restart(self, number, pause):
        self.signal(number)
        self.process.wait()
        time.sleep(pause)
        self.start()


class Farm:
    def __init__(self, folder, binaries, coordinators, workers, lease, garbage_after=None):
        folder.mkdir()
        self.folder, self.binaries, self.lease = folder, binaries, lease
        self.hits_log = folder / "failpoints.log"
        self.hits_log.touch()
        # A file system of its own, so that it can be filled.
        self.disk = folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m,mode=700", "chaos", str(self.disk)], check=True)
        self.store, self.scratch = self.disk / "store", self.disk / "scratch"
        self.scratch.mkdir()
        self.redis = Redis(folder)
        self.redis.start()
        collecting = [] if garbage_after is None else ["--garbage-after", str(garbage_after / 3600)]
        self.coordinators, self.doors = [], []
        for i in range(coordinators):
            socket = folder / f"c{i}.sock"
            self.coordinators.append(Daemon(self, f"coordinator{i}", binaries / "slipway-coordinator", ["--listen", f"unix:{socket}", *collecting]))
            self.doors.append(Proxy(str(socket)))
        self.workers = [Daemon(self, f"worker{i}", binaries / "slipway-worker",
                               ["--slots", "1", "--no-cache", "--scratch", str(self.scratch), "--drain-timeout", "20"]) for i in range(workers)]
        for daemon in self.daemons():
            if not daemon.start():
                raise Violation(f"{daemon.name} did not start: {daemon.text()[-500:]}")

    def daemons(self):
        return self.coordinators + self.workers

    def hits(self):
        """Failpoints at which a process acted, so far."""
        return {line.split()[0] for line in self.hits_log.read_text().splitlines()}

    def client(self, door, arguments, failpoints=""):
        """Starts `slipway export` at a coordinator's proxy; what was made before is made again."""
        environment = dict(os.environ, SLIPWAY_FAILPOINTS=failpoints, SLIPWAY_FAILPOINT_LOG=str(self.hits_log))
        return subprocess.Popen([self.binaries / "slipway", "export", "--server", self.doors[door].address, "--json", "--fresh", *arguments], env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def commits(self):
        """(request, task) → the states that workers were told they had committed for it."""
        found = {}
        for worker in self.workers:
            for request, task, state in re.findall(r"\] committed request=(\S+) task=(\d+) state=(\S+) ", worker.text()):
                found.setdefault((request, task), []).append(state)
        return found

    def damaged(self):
        """Digests of blobs that a daemon found damaged and dropped."""
        return {digest for daemon in self.daemons() for digest in re.findall(r"damaged blob dropped .*digest=(\S+)", daemon.text())}

    def excused(self):
        return set().union(*(worker.excused for worker in self.workers))

    def requests(self):
        """Ids of all requests that the queue knows."""
        return {key.rpartition(":")[2] for key in self.redis.lines("KEYS", self.redis.prefix().replace("{", "[{]") + "request:*")}

    def records(self):
        """(request, task) → the fields of its record."""
        prefix = self.redis.prefix()
        records = {}
        for key in self.redis.lines("KEYS", prefix.replace("{", "[{]") + "tasks:*"):
            fields = json.loads(self.redis.command("EVAL", "return cjson.encode(redis.call('HGETALL', KEYS[1]))", "1", key))
            for task, record in zip(fields[::2], fields[1::2]):
                records[key.rpartition(":")[2], task] = record.split("\n")
        return records

    def open_tasks(self):
        script = ("local n = 0 for _, k in ipairs(redis.call('KEYS', '{slipway:0}:v*:request:*')) do n = n + tonumber(redis.call('HGET', k, 'o')) end "
                  "return n")
        text = self.redis.command("EVAL", script, "0")
        return int(text) if text.isdigit() else -1

    def end(self):
        """Ends everything in order; what is wrong with the way it ends."""
        problems = []
        for daemon in self.workers + self.coordinators:
            try:
                daemon.end()
            except Violation as violation:
                problems.append(str(violation))
        for proxy in [*self.doors, *(daemon.redis for daemon in self.daemons())]:
            proxy.close()
        self.redis.command("SHUTDOWN", "NOSAVE")
        self.redis.process.wait()
        problems += [f"left in the scratch folder: {path.name}" for path in self.scratch.iterdir()]
        subprocess.run(["umount", "-l", str(self.disk)], check=True)
        return problems


def descendants_of(pid):
    """All processes below `pid`, zombies included."""
    found, frontier = [], [pid]
    while frontier:
        parent = frontier.pop()
        try:
            threads = list(pathlib.Path(f"/proc/{parent}/task").iterdir())
        except OSError:
            continue
        for thread in threads:
            try:
                children = [int(child) for child in (thread / "children").read_text().split()]
            except OSError:
                continue
            found += children
            frontier += children
    return found
