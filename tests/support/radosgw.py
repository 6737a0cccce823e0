#!/usr/bin/env python3
"""Runs a command beside a real Ceph object gateway: one monitor, one OSD in memory and radosgw, on loopback, in a temporary folder.

  tests/support/radosgw.py COMMAND [ARGUMENT...]

The command finds SLIPWAY_S3_ENDPOINT, SLIPWAY_S3_KEY, SLIPWAY_S3_SECRET and SLIPWAY_S3_TOKEN (temporary ones, which end with a session) in its environment, which tests/support/s3_server.h takes instead of
a server of its own; its exit code is this one's.
Needs Debian's ceph-mon, ceph-osd and radosgw (deploy/setup.sh gateway).
"""
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

PATIENCE = 120  # seconds for each daemon to answer

TOOLS = ("monmaptool", "ceph-authtool", "curl")  # read no configuration of the cluster

CONFIG = """[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor}
public network = 127.0.0.0/8
run dir = {folder}
admin socket = {folder}/$name.asok
keyring = {folder}/keyring
log file = {folder}/$name.log
mon data = {folder}/mon
mon allow pool size one = true
mon cluster log file = {folder}/cluster.log
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 2
osd pool default pg autoscale mode = off
ms bind port min = 20000
ms bind port max = 32000
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{gateway}
rgw s3 auth use sts = true
rgw sts key = {sts_key}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.daemons = []

    def begin(self):
        folder = self.folder
        monitor, self.gateway = free_ports(2)
        self.config = os.path.join(folder, "ceph.conf")
        self.fsid = str(uuid.uuid4())
        with open(self.config, "w") as file:
            file.write(CONFIG.format(fsid=self.fsid, monitor=monitor, gateway=self.gateway, folder=folder, sts_key=uuid.uuid4().hex[:16]))
        for name in ("mon", "osd", "rgw"):
            os.mkdir(os.path.join(folder, name))
        self.call("monmaptool", "--create", "--addv", "a", f"[v2:127.0.0.1:{monitor}]", "--fsid", self.fsid, f"{folder}/monmap")
        for entity, caps in (("mon.", ["mon"]), ("osd.0", ["mon", "osd"]), ("client.admin", ["mon", "osd"])):
            self.call("ceph-authtool", f"{folder}/keyring", *(["--create-keyring"] if entity == "mon." else []), "--gen-key", "-n", entity,
                      *(argument for daemon in caps for argument in ("--cap", daemon, "allow *")))
        self.call("ceph-mon", "--mkfs", "-i", "a", "--monmap", f"{folder}/monmap", "--keyring", f"{folder}/keyring")
        self.start("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self.call("ceph", "--connect-timeout", str(PATIENCE), "osd", "new", osd, "0")
        self.call("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        self.start("ceph-osd", "-i", "0")
        user = json.loads(self.call("radosgw-admin", "user", "create", "--uid", "slipway", "--display-name", "Slipway", "--max-buckets", "0", "--caps", "user-policy=*"))
        self.key = user["keys"][0]
        self.start("radosgw", "-n", "client.admin")
        self.wait_for_gateway()

    def ask(self, service, **fields):
        return self.call("curl", "-sS", "--fail-with-body", "--aws-sigv4", f"aws:amz:us-east-1:{service}",
                         "-u", "{access_key}:{secret_key}".format(**self.key), "-d", urllib.parse.urlencode(fields),
                         f"http://127.0.0.1:{self.gateway}/")

    # Key, secret and token of a session that the gateway's own STS began.
    def session(self):
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*", "sts:GetSessionToken"], "Resource": "*"}]}
        self.ask("iam", Action="PutUserPolicy", UserName="slipway", PolicyName="all", PolicyDocument=json.dumps(policy))
        answer = self.ask("sts", Action="GetSessionToken", Version="2011-06-15")
        return [re.search(f"<{name}>(.*?)</{name}>", answer).group(1) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]

    # With the ends of all logs when it fails.
    def call(self, program, *arguments):
        config = [] if program in TOOLS else ["-c", self.config]
        done = subprocess.run([program, *config, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE * 2)
        if done.returncode != 0:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}{self.logs()}")
        return done.stdout

    def start(self, program, *arguments):
        with open(os.path.join(self.folder, program + ".out"), "w") as out:
            self.daemons.append(subprocess.Popen([program, "-c", self.config, "-f", *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                                 stderr=subprocess.STDOUT, preexec_fn=die_with_parent))

    def wait_for_gateway(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.gateway), timeout=5).close()
                return
            except OSError:
                if self.daemons[-1].poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("radosgw does not serve" + self.logs())
                time.sleep(0.05)

    def logs(self):
        text = ""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith((".log", ".out")):
                with open(os.path.join(self.folder, name), errors="replace") as file:
                    text += f"\n--- {name}\n" + "".join(file.readlines()[-15:])
        return text

    def stop(self):
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    missing = [program for program in (*TOOLS, "ceph", "ceph-mon", "ceph-osd", "radosgw", "radosgw-admin") if shutil.which(program) is None]
    if missing:
        print(f"radosgw.py: {', '.join(missing)} not installed: deploy/setup.sh gateway", file=sys.stderr)
        return 5
    with tempfile.TemporaryDirectory(prefix="slipway-radosgw-") as folder:
        cluster = Cluster(folder)
        try:
            cluster.begin()
            key, secret, token = cluster.session()
            environment = dict(os.environ, SLIPWAY_S3_ENDPOINT=f"http://127.0.0.1:{cluster.gateway}", SLIPWAY_S3_KEY=key, SLIPWAY_S3_SECRET=secret,
                               SLIPWAY_S3_TOKEN=token)
            return subprocess.run(sys.argv[1:], env=environment).returncode
        finally:
            cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
