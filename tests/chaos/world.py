"""What a schedule does to a farm. Each event leaves everything running again; most of them overlap with others' work."""
import datetime
import os
import signal
import time

from farm import descendants_of
from troubles import FARM

KILL_PATIENCE = 20  # jobs that end before a failpoint counts as not hit: clients' work, not a clock, decides on a busy machine
GIVEN_UP = 17  # seconds: clients wait 15 for a sign of life


class World:
    def __init__(self, farm, log, jobs_ended):
        self.farm, self.log, self.jobs_ended = farm, log, jobs_ended
        self.corrupted = set()  # names of blobs
        self.redis_killed = []  # when

    # --- daemons

    def restart_at(self, daemon, failpoint, passage):
        """Kills the daemon, starts it with the failpoint armed, lets it die there and starts it again. False: it never came there."""
        with daemon.lock:
            daemon.kill()
            daemon.wait(10)
            daemon.start(f"{failpoint}=kill@{passage}")
            last = self.jobs_ended() + KILL_PATIENCE
            while daemon.wait(0.2) is None and self.jobs_ended() < last:
                if failpoint == "worker.returning":  # a task goes back when its process is killed
                    for child in descendants_of(daemon.process.pid)[1:]:
                        self.kill_process(child)
            died = not daemon.alive()
            if not died:
                daemon.kill()
                daemon.wait(10)
            time.sleep(0.1)
            daemon.start()
        return died

    def kill_daemon(self, random):
        daemon = random.choice(self.farm.daemons())
        with daemon.lock:
            self.log(f"kill -9 {daemon.name}")
            daemon.kill()
            daemon.wait(10)
            time.sleep(random.uniform(0, 0.5))
            daemon.start()

    def drain_worker(self, random):
        worker = random.choice(self.farm.workers)
        with worker.lock:
            self.log(f"SIGTERM {worker.name}")
            worker.end()
            worker.start()

    def stop_worker(self, random):
        """Past its lease; then it wakes and goes on as if nothing had been."""
        worker = random.choice(self.farm.workers)
        with worker.lock:
            self.log(f"SIGSTOP {worker.name}")
            worker.kill(signal.SIGSTOP)
            time.sleep(self.farm.lease + random.uniform(0.8, 1.5))
            worker.kill(signal.SIGCONT)

    def stop_coordinator(self, random):
        """Now and then for so long that its clients give it up; then it wakes and goes on as if nothing had been."""
        coordinator = random.choice(self.farm.coordinators)
        pause = random.choice([GIVEN_UP, self.farm.lease * 1.3, self.farm.lease * 1.3])
        with coordinator.lock:
            self.log(f"SIGSTOP {coordinator.name} for {pause:.1f} s")
            with self.farm.troubles.span(coordinator.name):
                coordinator.kill(signal.SIGSTOP)
                time.sleep(pause)
                coordinator.kill(signal.SIGCONT)

    def kill_child(self, random):
        """A converter, a judge or the zygote of a worker."""
        worker = random.choice(self.farm.workers)
        with worker.lock:
            children = descendants_of(worker.process.pid) if worker.alive() else []
            if not children:
                return
            victim = random.choice(children)
            self.log(f"kill -9 process {victim} below {worker.name}")
            self.kill_process(victim)
            # Without its zygote a worker cannot go on, and says so; whoever supervises it starts it again.
            if worker.wait(0.5) is not None:
                worker.start()

    @staticmethod
    def kill_process(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    # --- what the farm stands on

    def restart(self, server, number, pause):
        self.log(f"{server.name}: signal {number:d}, start after {pause:.1f} s")
        with self.farm.troubles.span(FARM), self.farm.troubles.span(server.name):
            server.restart(number, pause)

    def pause(self, server, pause):
        self.log(f"{server.name}: SIGSTOP for {pause:.1f} s")
        with self.farm.troubles.span(FARM), self.farm.troubles.span(server.name):
            server.signal(signal.SIGSTOP)
            time.sleep(pause)
            server.signal(signal.SIGCONT)

    # --- Redis

    def restart_redis(self, random):
        """Also for longer than a lease: workers that live must keep what they hold."""
        number = random.choice([signal.SIGKILL, signal.SIGTERM])
        pause = random.choice([0, self.farm.lease * 1.2])
        if number == signal.SIGKILL:
            self.redis_killed.append(datetime.datetime.now(datetime.timezone.utc))
        self.restart(self.farm.redis, number, pause)

    def pause_redis(self, random):
        self.pause(self.farm.redis, random.uniform(0.5, self.farm.lease * 1.3))

    def fill_redis(self, random):
        self.log("Redis: full")
        with self.farm.troubles.span(FARM):
            self.farm.redis.command("CONFIG", "SET", "maxmemory", "1mb")
            time.sleep(random.uniform(0.5, 1.5))
            self.farm.redis.command("CONFIG", "SET", "maxmemory", "0")

    def flush_scripts(self, random):
        self.log("Redis: SCRIPT FLUSH")
        self.farm.redis.command("SCRIPT", "FLUSH")

    # --- network

    def any_way(self, random):
        """Between clients and a coordinator, or between a daemon and Redis or the store; and who suffers from it."""
        daemon = random.choice(self.farm.daemons())
        ways = [(daemon.redis, daemon.name), (daemon.redis, daemon.name), *zip(self.farm.doors, (c.name for c in self.farm.coordinators))]
        if daemon.store:
            ways += [(daemon.store, daemon.name)] * 2
        way, who = random.choice(ways)
        if way is daemon.redis:
            daemon.excuse()
        return way, who

    def cut_connections(self, random):
        way, who = self.any_way(random)
        self.log(f"cut: {way.name}")
        with self.farm.troubles.span(who):
            way.cut()

    def delay_connections(self, random):
        way, who = self.any_way(random)
        self.log(f"slow: {way.name}")
        with self.farm.troubles.span(who):
            way.delay = random.uniform(0.01, 0.1)
            time.sleep(random.uniform(0.5, 1.5))
            way.delay = 0.0

    def silence_connections(self, random):
        way, who = self.any_way(random)
        self.log(f"silent: {way.name}")
        with self.farm.troubles.span(who):
            way.silent = True
            time.sleep(random.uniform(0.5, self.farm.lease * 1.5))
            way.silent = False
            way.cut()

    # --- the store

    def restart_store(self, random):
        pause = random.choice([0, self.farm.lease * 1.2])
        self.restart(self.farm.store, signal.SIGKILL, pause)

    def pause_store(self, random):
        self.pause(self.farm.store, random.uniform(0.5, self.farm.lease * 1.5))

    def garble_answer(self, random):
        """What a daemon reads differs from what is stored, once: the stored blob is good."""
        daemon = random.choice(self.farm.daemons())
        self.log(f"garble: {daemon.store.name}")
        daemon.store.garble = 1

    def fill_disk(self, random):
        self.log("disk full")
        ballast = self.farm.disk / "ballast"
        with self.farm.troubles.span(FARM):
            try:
                with open(ballast, "wb", buffering=0) as file:
                    while True:
                        file.write(bytes(1 << 20))
            except OSError:
                pass
            time.sleep(random.uniform(0.3, 1.0))
            ballast.unlink()

    def corrupt_blob(self, random):
        blobs = sorted(blob for blob in self.farm.store.blobs() if not blob.name.endswith("-0"))
        if not blobs:
            return
        blob = random.choice(blobs)
        self.log(f"corrupt {blob.name[:12]}")
        self.corrupted.add(blob.name)
        try:
            blob.chmod(0o600)
            with open(blob, "r+b") as file:
                file.seek(random.randrange(blob.stat().st_size))
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 1 << random.randrange(8)]))
            blob.chmod(0o444)
        except OSError:
            pass

    EVENTS = {  # in rows that run side by side
        "inside": (kill_daemon, kill_daemon, drain_worker, stop_worker, stop_worker, kill_child, kill_child, kill_child, restart_redis, restart_redis,
                   pause_redis, fill_redis, flush_scripts),
        "around": (cut_connections, cut_connections, delay_connections, silence_connections, fill_disk, corrupt_blob, corrupt_blob),
        "stops": (stop_coordinator,),
        "store": (cut_connections, delay_connections, silence_connections, restart_store, restart_store, pause_store, garble_answer,
                  garble_answer, garble_answer),  # where it has a server
    }
