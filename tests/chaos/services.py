"""What a farm stands on, each a real server of its own in the run's network namespace: Redis, and the store (a folder, or a bucket of an S3 server)."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

REDIS_PORT, S3_PORT = 6379, 9000
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"


class Violation(Exception):
    """An invariant does not hold."""


def await_true(condition, patience, what):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise Violation(f"{what}: not within {patience} s")
        time.sleep(0.02)


class Certificate:
    """Of every server on 127.0.0.1, signed by itself."""

    def __init__(self, folder):
        self.file, self.key = folder / "farm.pem", folder / "farm.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=chaos",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.file], check=True, capture_output=True)


class Server:
    """A process that a schedule can stop, kill and start again."""

    def __init__(self, folder, name):
        self.name, self.log = name, folder / f"{name}.log"
        self.process = None

    def launch(self, command, text="", environment=()):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=dict(os.environ, **dict(environment)), start_new_session=True)
        self.process.stdin.write(text.encode())
        self.process.stdin.close()
        await_true(self.answers, 20, f"{self.name} answers")

    def signal(self, number):
        self.process.send_signal(number)

    def restart(self, number, pause):
        self.signal(number)
        self.process.wait()
        time.sleep(pause)
        self.start()


class Redis(Server):
    """`fsync` is its appendfsync. With "always" a kill -9 takes nothing back that anyone was told; with "everysec" it may."""

    def __init__(self, folder, fsync, certificate):
        super().__init__(folder, "redis")
        self.folder, self.fsync, self.certificate = folder, fsync, certificate
        self.socket = str(folder / "redis.sock")
        self.address = f"127.0.0.1:{REDIS_PORT}" if certificate else self.socket
        password = folder / "redis.password"
        password.write_text("chaos\n")
        self.flags = ["--redis-user", "slipway", "--redis-password-file", str(password)]
        if certificate:
            self.flags += ["--redis-tls", "--redis-tls-ca", str(certificate.file)]

    def start(self):
        config = (f"port 0\nunixsocket {self.socket}\ndir {self.folder}\nappendonly yes\nappendfsync {self.fsync}\nsave ''\n"
                  "maxmemory-policy noeviction\n")
        if self.certificate:
            config += f"bind 127.0.0.1\ntls-port {REDIS_PORT}\ntls-auth-clients no\n"
            config += f"tls-cert-file {self.certificate.file}\ntls-key-file {self.certificate.key}\ntls-ca-cert-file {self.certificate.file}\n"
        # The daemons may do what the manual says that they need, and no more.
        config += re.search(r"^user slipway on .*$", MANUAL.read_text(), re.MULTILINE)[0].replace("PASSWORD", "chaos") + "\n"
        self.launch(["redis-server", "-"], config)

    def answers(self):
        return self.command("PING") == "PONG"

    def end(self):
        self.command("SHUTDOWN", "NOSAVE")
        self.process.wait()

    def command(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return done.stdout.strip()

    def lines(self, *words):
        text = self.command(*words)
        return text.split("\n") if text else []

    def prefix(self):
        """What the farm's keys begin with."""
        return self.command("EVAL", "return redis.call('KEYS', '{slipway:0}:v*:meta')[1]", "0").removesuffix("meta")


class Store:
    """Blobs below a folder of the farm's disk, by whatever way the daemons reach them."""

    address = None  # of its server, if any
    environment = {}  # of the daemons

    def __init__(self, root):
        self.root = root
        root.mkdir(parents=True)

    def blobs(self):
        return [path for path in (self.root / "t").glob("*/[0-9a-f][0-9a-f]/*") if not path.name.startswith(".")]

    def flickering(self):
        """Digests of blobs that were gone for a moment by the store's own fault."""
        return set()

    def age(self, seconds):
        """As if nobody had used any blob for so long."""
        then = time.time() - seconds
        for blob in self.blobs():
            os.utime(blob, (then, then))

    def plant(self):
        """A blob that nobody knows."""
        stray = self.root / "t" / "default" / "ab" / ("ab" * 32 + "-5")
        stray.parent.mkdir(parents=True, exist_ok=True)
        stray.write_text("stray")
        return stray


class Folder(Store):
    def __init__(self, disk, folder):
        super().__init__(disk / "store")

    def start(self):
        pass

    end = start

    def url(self, address):
        return str(self.root)


class Bucket(Store, Server):
    """Of `rclone serve s3`, whose objects are files."""

    def __init__(self, disk, folder):
        Server.__init__(self, folder, "s3")
        self.buckets = disk / "s3"
        Store.__init__(self, self.buckets / "blobs" / "farm")
        self.address = f"127.0.0.1:{S3_PORT}"
        self.environment = {"AWS_ACCESS_KEY_ID": "chaos", "AWS_SECRET_ACCESS_KEY": "chaos-secret"}

    def start(self):
        rclone = pathlib.Path(sys.executable).parent / "rclone"
        self.launch([rclone, "serve", "s3", str(self.buckets), "--config", "/dev/null", "--addr", self.address], environment={"RCLONE_AUTH_KEY": '"chaos,chaos-secret"'})

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", S3_PORT), 1).close()
            return True
        except OSError:
            return False

    def end(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def url(self, address):
        return f"s3://blobs/farm?endpoint=http://{address}"

    def flickering(self):
        # Where S3 replaces an object in one step, rclone removes it first; it says so when two do that at once.
        return set(re.findall(r"([0-9a-f]{64})-\d+: File.Rename error", self.log.read_text(errors="replace")))

    def plant(self):
        stray = super().plant()
        self.restart(signal.SIGKILL, 0)  # it remembers what its folders hold
        return stray
