"""The processes of a farm, each one real: coordinators behind proxies, workers, clients. All can be killed and started again."""
import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

from proxy import Proxy
from services import Bucket, Certificate, Folder, Redis, Violation, await_true
from troubles import Troubles

STORES = {"local": Folder, "s3": Bucket}
TENANTS = {"ann": "default", "bob": "default", "eve": "other"}  # of the users, where tokens say who they are


class Daemon:
    """One place in the farm, filled by one process after the other, with a way to Redis of its own. Its log goes on through all of them."""

    def __init__(self, farm, name, binary, arguments):
        self.farm, self.name, self.binary = farm, name, binary
        self.redis = Proxy(f"{name} to Redis", lambda: farm.redis.address)
        self.store = Proxy(f"{name} to the store", lambda: farm.store.address) if farm.store.address else None
        self.arguments = [*arguments, "--redis", self.redis.address, *farm.redis.flags, "--store", farm.store.url(self.store and self.store.address),
                          "--lease", str(farm.lease), "--log-level", "debug"]
        self.log = farm.folder / f"{name}.log"
        self.process = None
        self.down = farm.troubles.begin(name)
        self.watcher = None   # thread that sees it die
        self.id = None        # what it calls itself: in the queue (workers), its address (coordinators)
        self.excused = set()  # ids that may have lost leases: they were killed, stopped or cut off
        self.lock = threading.RLock()  # held while a schedule does something to it

    def start(self, failpoints="", arguments=()):
        """Starts it with `failpoints` armed and further arguments, and waits until it says that it is ready, or has died at one of them."""
        if self.watcher:
            self.watcher.join()
        environment = dict(os.environ, **self.farm.store.environment, SLIPWAY_FAILPOINTS=failpoints, SLIPWAY_FAILPOINT_LOG=str(self.farm.hits_log))
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
            self.farm.troubles.end(self.down)
            self.watcher = threading.Thread(target=self._await_death, args=(self.process,), daemon=True)
            self.watcher.start()
        else:
            self.process.wait()  # it closed its end as it died
        return bool(words)

    def _await_death(self, process):
        process.wait()
        # A worker that has to end waits some seconds for Redis to take back what it holds, and no longer.
        if self.farm.troubles.now(self.farm.redis.name):
            self.excuse()
        self.down = self.farm.troubles.begin(self.name)

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


class Farm:
    def __init__(self, folder, options, coordinators, workers, lease, garbage_after=None, fsync="always", keeping=False):
        folder.mkdir()
        self.folder, self.binaries, self.lease = folder, options.bin, lease
        self.hits_log = folder / "failpoints.log"
        self.hits_log.touch()
        self.troubles = Troubles()
        # A file system of its own, so that it can be filled.
        self.disk = folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192m,mode=700", "chaos", str(self.disk)], check=True)
        self.scratch = self.disk / "scratch"
        self.scratch.mkdir()
        certificate = Certificate(folder) if options.tls else None
        self.store = STORES[options.store](self.disk, folder)
        self.redis = Redis(folder, fsync, certificate)
        self.store.start()
        self.redis.start()
        door_flags, self.credentials = self.secure(certificate) if certificate else ([], {user: [] for user in TENANTS})
        collecting = [] if garbage_after is None else ["--garbage-after", str(garbage_after / 3600)]  # hours
        self.coordinators, self.doors = [], []
        for i in range(coordinators):
            listen = "127.0.0.1:0" if certificate else f"unix:{folder}/c{i}.sock"
            self.coordinators.append(Daemon(self, f"coordinator{i}", options.bin / "slipway-coordinator", ["--listen", listen, *door_flags, *collecting]))
            self.doors.append(Proxy(f"clients to coordinator{i}", lambda door=self.coordinators[-1]: door.id.removeprefix("unix:")))
        self.workers = [Daemon(self, f"worker{i}", options.bin / "slipway-worker",
                               ["--slots", "1", "--scratch", str(self.scratch), "--drain-timeout", "20", *([] if keeping else ["--no-cache"]), *collecting])
                        for i in range(workers)]
        for daemon in self.daemons():
            if not daemon.start():
                raise Violation(f"{daemon.name} did not start: {daemon.text()[-500:]}")

    def secure(self, certificate):
        """Flags of coordinators, and of each user."""
        tokens = self.folder / "tokens"
        credentials = {}
        for user in TENANTS:
            file = self.folder / f"{user}.token"
            file.write_bytes(subprocess.run([self.binaries / "slipway", "token", "new", "--tokens", tokens, "--tenant", TENANTS[user], "--role", "submit", "--name", user],
                                            check=True, capture_output=True).stdout)
            credentials[user] = ["--tls-ca", str(certificate.file), "--token-file", str(file)]
        return ["--tls-cert", str(certificate.file), "--tls-key", str(certificate.key), "--tokens", str(tokens)], credentials

    def daemons(self):
        return self.coordinators + self.workers

    def hits(self):
        """Failpoints at which a process acted, so far."""
        return {line.split()[0] for line in self.hits_log.read_text().splitlines()}

    def client(self, doors, arguments, failpoints="", user="ann"):
        """Starts `slipway export` at coordinators' proxies."""
        environment = dict(os.environ, SLIPWAY_FAILPOINTS=failpoints, SLIPWAY_FAILPOINT_LOG=str(self.hits_log))
        servers = ",".join(self.doors[door].address for door in doors)
        return subprocess.Popen([self.binaries / "slipway", "export", "--server", servers, *self.credentials[user], "--json", *arguments],
                                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)

    def commits(self):
        """(request, task) → (time, state) of what workers were told they had committed for it, in order."""
        found = {}
        for worker in self.workers:
            for moment, request, task, state in re.findall(r"^(\S+) .*\] committed request=(\S+) task=(\d+) state=(\S+) ", worker.text(), re.MULTILINE):
                found.setdefault((request, task), []).append((datetime.datetime.fromisoformat(moment), state))
        return {task: sorted(commits) for task, commits in found.items()}

    def damaged(self):
        """Digests of blobs that a daemon found damaged and dropped."""
        return {digest for daemon in self.daemons() for digest in re.findall(r"damaged blob dropped .*(?:digest=|/)([0-9a-f]{64}[-/]\d+)", daemon.text())}

    def excused(self):
        return set().union(*(worker.excused for worker in self.workers))

    def requests(self):
        """Ids of all requests that the queue knows."""
        return {key.rpartition(":")[2] for key in self.redis.lines("KEYS", self.redis.prefix().replace("{", "[{]") + "request:*")}

    def records(self):
        """(request, task) → the fields of its record."""
        prefix = self.redis.prefix()
        records = {}
        for key in self.redis.lines("KEYS", prefix.replace("{", "[{]") + "request:*"):
            fields = json.loads(self.redis.command("EVAL", "return cjson.encode(redis.call('HGETALL', KEYS[1]))", "1", key))
            for task, record in zip(fields[::2], fields[1::2]):
                if task.isdigit():
                    records[key.rpartition(":")[2], task] = record.split("\n")
        return records

    def open_tasks(self):
        script = ("local n = 0 for _, k in ipairs(redis.call('KEYS', '{slipway:0}:v*:request:*')) do "
                  "n = n + string.match(redis.call('HGET', k, 'st'), '^%a %S+ %d+ (%d+)') end return n")
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
        for proxy in [*self.doors, *(way for daemon in self.daemons() for way in (daemon.redis, daemon.store) if way)]:
            proxy.close()
        self.redis.end()
        self.store.end()
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
