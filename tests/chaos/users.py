"""Users of a farm: each asks for one export after the other, is interrupted or killed at times, and runs it again until its cells are there."""
import json
import re
import shutil
import signal
import subprocess
import threading
import time

import models
from farm import TENANTS, Violation

TARGETS = ("onnx", "tflite", "coreml", "ncnn")
PATIENCE = 180  # seconds after which a client counts as hung


def artifacts(out):
    """(model, target) → {file: digest} of a manifest's passed and unverified cells."""
    manifest = json.loads((out / "manifest.json").read_text())
    return {(model["model"], artifact["target"]): {file["path"]: file["sha256"] for file in artifact["files"]}
            for model in manifest["models"] for artifact in model["artifacts"] if artifact["status"] in ("passed", "unverified")}


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
        self.everywhere = random_.random() < 0.5  # told all coordinators' addresses
        self.shared = False  # others ask for the very same: the farm may join them, and use what it kept
        self.failpoint = None

    def share(self, other):
        """Asks for what `other` asks for."""
        self.models, self.targets, self.verify, self.shared = other.models, other.targets, other.verify, True

    def cells(self):
        return len(self.models) * len(self.targets)

    def doors(self, all_of_them):
        return all_of_them if self.everywhere else [all_of_them[self.door % len(all_of_them)]]


class Users:
    """One thread each, which take their jobs from one row."""

    def __init__(self, run, farm, jobs):
        self.farm, self.jobs = farm, jobs
        self.seed, self.tasks, self.wanted_artifacts, self.log, self.violate = run.seed, run.options.tasks, run.calm_artifacts, run.log, run.violate
        self.folder = run.folder / "jobs"
        self.folder.mkdir()
        self.lock = threading.Lock()
        self.cells = 0
        self.submissions = 0   # runs of clients
        self.requests = set()  # ids that clients were told
        self.untold = 0        # runs of clients that were told none
        self.ended = 0         # jobs
        self.schedule_over = threading.Event()
        models.write(self.folder / "shared", self.seed, models.names(), mark="shared")
        self.threads = [threading.Thread(target=self.serve, args=(user,)) for user in TENANTS]

    def serve(self, user):
        """One job after the other, until enough has been asked for and the schedule is over."""
        while True:
            with self.lock:
                job = next(self.jobs)
                if self.cells >= self.tasks and self.schedule_over.is_set():
                    return
                self.cells += job.cells()
            try:
                self.run(job, user)
                self.ended += 1
                shutil.rmtree(self.folder / str(job.number))
            except Violation as violation:
                self.violate(f"job {job.number} ({','.join(job.models)} × {','.join(job.targets)}): {violation}")
            except Exception as error:  # a bug of the suite must not look like a pass
                self.violate(f"job {job.number}: {error!r}")

    def run(self, job, user):
        folder = self.folder / str(job.number)
        out = folder / "out"
        models.write(folder, self.seed, job.models, mark=str(job.number))
        sources = self.folder / "shared" if job.shared else folder
        arguments = [*(str(sources / f"{name}.onnx") for name in job.models), "--target", ",".join(job.targets), "--precision", "fp32", "--out", str(out)]
        arguments += ([] if job.verify else ["--no-verify"]) + ([] if job.shared else ["--fresh"])
        trouble, calm_tries = job.trouble, 0
        while True:
            settled = self.schedule_over.is_set()
            with self.lock:
                self.submissions += 1
            doors = job.doors(range(len(self.farm.doors)))
            begin = time.monotonic()
            client = self.farm.client(doors, arguments, f"{job.failpoint}=kill" if job.failpoint else "", user)
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
                output, errors = client.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                client.kill()
                raise Violation(f"its client has not ended after {PATIENCE} s") from None
            told = set(re.findall(r'"request_id":\s*"([^"]+)"', first + output))
            with self.lock:
                self.requests |= told
                self.untold += not told
            trouble = None
            job.door += 1
            if job.failpoint in self.farm.hits():
                job.failpoint = None
            self.log(f"job {job.number}: {client.returncode}")
            if client.returncode == 5 and not self.excused(output + errors, begin, doors):
                raise Violation(f"it gave up, though a coordinator that it knew could serve it: {output[-500:]} {errors[-300:]}")
            problem = self.check(job, out, client.returncode, errors)
            if problem is None:
                return
            calm_tries += settled
            if calm_tries >= 3:
                raise Violation(f"{problem} (three times after the last fault)")
            time.sleep(0.1)

    def excused(self, told, begin, doors):
        """Whether a client may have given up: nobody could serve it, a task's attempts were used up, or it tells of a blob that was damaged or
        gone for a moment."""
        if self.farm.troubles.excuse(begin, time.monotonic(), [self.farm.coordinators[door].name for door in doors]):
            return True
        if re.search("lost its lease|isolated after killing", told):
            return True
        return any(re.split("[-/]", name)[0] in told for name in self.farm.damaged() | self.farm.store.flickering())

    def check(self, job, out, code, errors):
        """None: all is there. A text: the user has to run it again. Raises what must never be."""
        if code not in (0, 1, 4, 5, 130, -signal.SIGKILL):
            raise Violation(f"exit {code}: {errors[-500:]}")
        if code in (5, 130, -signal.SIGKILL):
            return f"exit {code}: {errors[-300:]}"
        verified = subprocess.run([self.farm.binaries / "slipway", "verify", str(out)], text=True, capture_output=True)
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
                elif {file["path"]: file["sha256"] for file in cell["files"]} != self.wanted_artifacts[model, target]:
                    raise Violation(f"{model} {target} differs from the calm farm's artifact")
        return again
