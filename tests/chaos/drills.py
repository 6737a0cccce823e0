"""Moments that a storm seldom meets, brought about step by step on a calm farm of two workers. Each drill leaves the farm as it found it."""
import signal
import time

from farm import Violation, await_true

PATIENCE = 60


class Drill:
    """Two workers that only run when told, and one user."""

    def __init__(self, farm, sources):
        self.farm, self.sources = farm, sources
        self.first, self.second = farm.workers
        self.stop_workers()
        self.lines = {worker: len(worker.text()) for worker in farm.workers}
        self.client = None

    def stop_workers(self):
        for worker in self.farm.workers:
            worker.end()

    def export(self, *arguments, doors=(0,)):
        self.client = self.farm.client(doors, [*map(str, arguments), "--target", "onnx", "--precision", "fp32", "--no-verify", "--fresh", "--out", str(self.sources / "out")])

    def hold(self, worker, failpoint):
        """Starts the worker and waits until it stands at the failpoint."""
        worker.start(f"{failpoint}=stop")
        await_true(worker.stopped, PATIENCE, f"{worker.name} stands at {failpoint}")

    def wake(self, worker):
        worker.kill(signal.SIGCONT)

    def await_line(self, worker, text):
        await_true(lambda: text in self.new_text(worker), PATIENCE, f"{worker.name} says \"{text}\"")

    def new_text(self, worker):
        return worker.text()[self.lines[worker]:]

    def await_lost_leases(self):
        await_true(lambda: self.farm.redis.command("ZCARD", self.farm.redis.prefix() + "leases") == "0", PATIENCE, "the lease ends")

    def finish(self, code):
        _, errors = self.client.communicate(timeout=PATIENCE)
        if self.client.returncode != code:
            raise Violation(f"the client ends with {self.client.returncode}, not {code}: {errors[-500:]}")
        for worker in self.farm.workers:
            if not worker.alive():
                worker.start()


def two_holders(farm, sources):
    """A worker that lost its lease commits while another one holds the task: refused."""
    drill = Drill(farm, sources)
    drill.export(sources / "mlp.onnx")
    drill.hold(drill.first, "worker.result_stored")
    drill.await_lost_leases()
    drill.hold(drill.second, "worker.result_stored")
    drill.wake(drill.first)
    drill.await_line(drill.first, "the task had become another's")
    drill.first.end()
    drill.wake(drill.second)
    drill.finish(0)


def cancelled_before_commit(farm, sources):
    """A cancelled request's worker commits: refused."""
    drill = Drill(farm, sources)
    drill.export(sources / "mlp.onnx")
    drill.hold(drill.first, "worker.result_stored")
    drill.client.send_signal(signal.SIGINT)
    drill.finish(130)
    drill.wake(drill.first)
    await_true(lambda: "the task had become another's" in drill.new_text(drill.first) or "gave up" in drill.new_text(drill.first) or
               "] committed" in drill.new_text(drill.first), PATIENCE, "it goes on")
    if "] committed" in drill.new_text(drill.first):
        raise Violation("a cancelled request's task was committed")


def lost_task_goes_first(farm, sources):
    """Of a request with a backlog, the task of a lost worker is the next to be served."""
    drill = Drill(farm, sources)
    drill.export(*sources.glob("*.onnx"))
    drill.hold(drill.first, "worker.leased")
    held = farm.redis.command("HVALS", farm.redis.prefix() + "tokens")  # "<index>:<request>"
    drill.first.kill()
    drill.first.wait(PATIENCE)
    drill.await_lost_leases()
    drill.second.start()
    drill.await_line(drill.second, "] committed")
    index, _, request = held.partition(":")
    first = next(line for line in drill.new_text(drill.second).splitlines() if "] committed" in line)
    if f"request={request} task={index} " not in first:
        raise Violation(f"task {index} was lost, but the next one served was: {first}")
    drill.finish(0)


def redis_away_longer_than_a_lease(farm, sources):
    """A worker that lives keeps its task when Redis comes back, also if maintenance finds it sooner than the worker does."""
    drill = Drill(farm, sources)
    drill.export(sources / "mlp.onnx")
    drill.first.start(f"worker.executed=delay:{int(farm.lease * 4000)}")
    await_true(lambda: "worker.executed delay" in farm.hits_log.read_text(), PATIENCE, "a task runs for four leases")
    drill.second.start()
    drill.first.redis.silent = True
    farm.redis.restart(signal.SIGKILL, farm.lease * 1.3)
    time.sleep(farm.lease * 0.4)
    drill.first.redis.silent = False
    drill.first.redis.cut()
    drill.finish(0)
    if f"worker {drill.first.id} lost its lease" in "".join(farm.redis.command("HVALS", key) for key in farm.redis.lines("KEYS", "*:history:*")):
        raise Violation("a worker that lived lost its lease while Redis was away")


def answer_to_submit_lost(farm, sources):
    """The coordinator dies between the queue's word and its own: the client asks again and joins its own request."""
    drill = Drill(farm, sources)
    coordinator = farm.coordinators[0]
    coordinator.end()
    coordinator.start("coordinator.submitted=kill")
    before = len(farm.requests())
    drill.export(sources / "mlp.onnx")
    if coordinator.wait(PATIENCE) is None:
        raise Violation("the coordinator did not come to coordinator.submitted")
    coordinator.start()
    for worker in farm.workers:
        worker.start()
    drill.finish(0)
    if (made := len(farm.requests()) - before) != 1:
        raise Violation(f"one export made {made} requests")


def coordinator_gone(farm, sources):
    """A client that knows both coordinators needs but one, whichever it is."""
    drill = Drill(farm, sources)
    for coordinator in farm.coordinators:
        drill.export(sources / "mlp.onnx", doors=range(len(farm.coordinators)))
        drill.hold(drill.first, "worker.leased")
        coordinator.kill()
        drill.wake(drill.first)
        drill.finish(0)
        coordinator.start()
        drill.stop_workers()


def garbage_before_commit(farm, sources):
    """A result that no request names yet, of files that nobody has used for long: garbage collection lets it be."""
    drill = Drill(farm, sources)
    coordinator = farm.coordinators[0]
    drill.export(sources / "mlp.onnx")
    drill.first.start("worker.result_stored=delay:4000")
    await_true(lambda: "worker.result_stored delay" in farm.hits_log.read_text(), PATIENCE, "a result is stored")
    stray = farm.store.plant()
    farm.store.age(2 * 3600)
    coordinator.end()
    coordinator.start(arguments=["--garbage-after", "1"])
    await_true(lambda: not stray.exists(), PATIENCE, "garbage is collected")
    drill.finish(0)
    coordinator.end()
    coordinator.start()


ALL = (two_holders, cancelled_before_commit, lost_task_goes_first, redis_away_longer_than_a_lease, answer_to_submit_lost, coordinator_gone,
       garbage_before_commit)
