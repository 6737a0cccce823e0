#!/usr/bin/env python3
"""What `cmake --install` and the Debian package put on a machine works there, and the services' units and the image's recipe hold together.

Usage: package_test.py BUILD_FOLDER     (in the environment of tests/run.sh)
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve()
PROGRAMS = ["slipway", "slipway-coordinator", "slipway-worker", "slipway-runtimes"]


def run(*command, check=True, **options):
    ended = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if check and ended.returncode != 0:
        raise AssertionError(f"{command}: exit {ended.returncode}\n{ended.stdout}")
    return ended


def environment(**more):
    """Without what would tell an installed program where the source tree's things are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    return {**kept, **more}


def export(binary, folder, **more):
    """MTCNN's smallest net to ONNX, made and judged now; its artifact's manifest entry."""
    ended = run(binary, "export", f"mtcnn-pnet@{os.environ['SLIPWAY_MTCNN']}/pnet.pt", "--target", "onnx", "--no-cache", "--out", folder, check=False, env=environment(**more))
    manifest = json.loads((folder / "manifest.json").read_text())
    return ended, manifest["models"][0]["artifacts"][0]


class Installed(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.prefix = self.folder / "anywhere"
        run("cmake", "--install", BUILD, "--prefix", self.prefix)

    def test_an_installed_farm_proves_what_it_makes_with_its_own_files(self):
        venv = self.prefix / "lib/slipway/venv"
        venv.parent.mkdir(parents=True)
        venv.symlink_to(pathlib.Path(os.environ["SLIPWAY_PYTHON"]).parents[1])
        ended, artifact = export(self.prefix / "bin/slipway", self.folder / "out")
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertEqual(artifact["status"], "passed")
        self.assertEqual(artifact["parity"]["runs"][0]["verified_by"]["name"], "onnxruntime")
        run(self.prefix / "bin/slipway", "verify", self.folder / "out")
        # The judges' scripts are the installed ones: broken there, nobody judges.
        for script in (self.prefix / "share/slipway/hosts").glob("*.py"):
            script.write_text("raise SystemExit('broken')\n")
        ended, artifact = export(self.prefix / "bin/slipway", self.folder / "unjudged")
        self.assertNotEqual(ended.returncode, 0, ended.stdout)
        self.assertNotEqual(artifact["status"], "passed")

    def test_everything_that_belongs_to_it_is_there(self):
        for program in PROGRAMS:
            self.assertTrue(os.access(self.prefix / "bin" / program, os.X_OK), program)
        for file in ["share/slipway/runtimes.txt", "share/slipway/coordinator.env", "share/slipway/worker.env", "share/slipway/alerts.yaml",
                     "share/doc/slipway/copyright", "share/doc/slipway/operations.md", "lib/systemd/system/slipway-worker.service",
                     "lib/systemd/system/slipway-coordinator.service", "lib/sysusers.d/slipway.conf"]:
            self.assertTrue((self.prefix / file).is_file(), file)
        self.assertEqual((self.prefix / "share/doc/slipway/copyright").read_text(), (ROOT / "LICENSE").read_text())
        self.assertFalse((self.prefix / "include").exists())

    def test_slipway_runtimes_makes_the_environment_that_the_programs_find(self):
        listed = self.prefix / "share/slipway/runtimes.txt"
        self.assertIn("onnxruntime==", listed.read_text())
        listed.write_text("# none\n")  # its wheels are the tests' own environment
        first = run(self.prefix / "bin/slipway-runtimes", env=environment(PIP_NO_INDEX="1"))
        self.assertIn("installed into", first.stdout)
        python = self.prefix / "lib/slipway/venv/bin/python"
        self.assertTrue(python.exists())
        self.assertIn("has them", run(self.prefix / "bin/slipway-runtimes").stdout)
        doctor = run(self.prefix / "bin/slipway", "doctor", check=False, env=environment())
        self.assertRegex(doctor.stdout, rf"{python} cannot import onnxruntime .*: run {self.prefix}/bin/slipway-runtimes, or")
        self.assertEqual(run(self.prefix / "bin/slipway-runtimes", "a", "b", check=False).returncode, 2)


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        run("cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", cls.folder, "-D", "CPACK_DEBIAN_COMPRESSION_TYPE=gzip")
        cls.package, = cls.folder.glob("slipway_*.deb")
        cls.root = cls.folder / "root"
        run("dpkg-deb", "--extract", cls.package, cls.root)

    def field(self, name):
        return run("dpkg-deb", "--field", self.package, name).stdout.strip()

    def test_depends_on_what_its_programs_load(self):
        depends = self.field("Depends")
        for library in ["libc6", "libcivetweb1", "libcurl4", "python3"]:
            self.assertRegex(depends, rf"(^|, ){re.escape(library)}( |,|$)")
        self.assertRegex(self.field("Recommends"), "redis-server.*7")
        self.assertEqual(self.field("Package"), "slipway")
        run("dpkg", "--dry-run", "--install", self.package)  # all of it is on this machine, where it was built

    def test_its_programs_run(self):
        for program in PROGRAMS[:3]:
            version = run(self.root / "usr/bin" / program, "--version", env=environment()).stdout
            self.assertIn(f"{program} {self.field('Version')}", version)
        ended, artifact = export(self.root / "usr/bin/slipway", self.folder / "out", SLIPWAY_PYTHON=os.environ["SLIPWAY_PYTHON"])
        self.assertEqual((ended.returncode, artifact["status"]), (0, "passed"), ended.stdout)

    def test_what_it_holds(self):
        held = {"/" + str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file()}
        self.assertLessEqual({f"/usr/bin/{program}" for program in PROGRAMS}, held)
        self.assertLessEqual({f"/usr/share/slipway/hosts/{name}_host.py" for name in ("onnxruntime", "litert", "ncnn")}, held)
        self.assertEqual({path for path in held if not path.startswith("/usr/")}, set())  # settings are made when it is configured
        for program in PROGRAMS[:3]:
            self.assertNotIn(".debug_info", run("readelf", "--sections", self.root / "usr/bin" / program).stdout)
            self.assertNotIn("RUNPATH", run("readelf", "--dynamic", self.root / "usr/bin" / program).stdout)
        for path in self.root.rglob("*"):
            self.assertEqual(path.stat().st_mode & 0o022, 0, path)

    def test_its_scripts_are_shell(self):
        control = self.folder / "control"
        run("dpkg-deb", "--control", self.package, control)
        for script in ("postinst", "prerm", "postrm"):
            self.assertTrue(os.access(control / script, os.X_OK), script)
            run("sh", "-n", control / script)


class Units(unittest.TestCase):
    def test_systemd_takes_them_and_finds_them_closed(self):
        with tempfile.TemporaryDirectory() as folder:
            for part in ("coordinator", "worker"):
                name = f"slipway-{part}.service"
                text = (ROOT / "deploy/systemd" / name).read_text()
                unit = pathlib.Path(folder) / name
                unit.write_text(text.replace(f"ExecStart=slipway-{part}", f"ExecStart={BUILD}/bin/slipway-{part}").replace("file:///usr/share/doc/slipway/", f"file://{ROOT}/docs/"))
                verified = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit, check=False)
                self.assertEqual((verified.returncode, verified.stdout), (0, ""), name)
                # systemd's own figure, 0 (closed) to 10; 9.6 for a unit that says nothing.
                run("systemd-analyze", "security", "--offline=true", f"--threshold={ {'coordinator': 20, 'worker': 30}[part] }", unit)

    def test_settings_are_flags(self):
        for part in ("coordinator", "worker"):
            known = run(BUILD / "bin" / f"slipway-{part}", "--help").stdout
            names = re.findall(r"^#?(SLIPWAY_[A-Z_]+)=", (ROOT / f"deploy/systemd/{part}.env").read_text(), re.M)
            self.assertGreater(len(names), 5)
            for name in names:
                self.assertIn(f"(Env:{name})", known, part)


class Image(unittest.TestCase):
    """There is no container engine where the tests run: the recipe is read, and the scripts that it runs are tested above."""

    def instructions(self):
        text = re.sub(r"^#.*\n", "", (ROOT / "deploy/Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
        return [line.split(None, 1) for line in text.splitlines() if line.strip()]

    def test_recipe(self):
        instructions = self.instructions()
        self.assertLessEqual({name for name, _ in instructions}, {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "ENTRYPOINT", "CMD"})
        stages = [rest for name, rest in instructions if name == "FROM"]
        self.assertEqual(stages, ["debian:bookworm AS build", "debian:bookworm-slim"])
        users = [rest for name, rest in instructions if name == "USER"]
        self.assertTrue(users and all(re.fullmatch(r"[1-9]\d+:[1-9]\d+", user) for user in users), users)
        self.assertGreater([name for name, _ in instructions].index("USER"), max(i for i, (name, _) in enumerate(instructions) if name == "RUN"))
        for name, rest in instructions:
            if name in ("ENTRYPOINT", "CMD"):
                self.assertTrue(all(isinstance(word, str) for word in json.loads(rest)), rest)
            if name == "COPY" and not rest.startswith("--from="):
                for source in rest.split()[:-1]:
                    self.assertTrue((ROOT / source).exists(), source)
            if name == "RUN":
                run("bash", "-n", "-c", rest)
                for script in re.findall(r"(deploy/\S+)", rest):
                    self.assertTrue(os.access(ROOT / script, os.X_OK), script)
        # What the first stage leaves is what the second takes.
        self.assertIn("/src/build/package/slipway_*.deb", (ROOT / "deploy/Dockerfile").read_text())
        self.assertIn("cpack -G DEB -B package", (ROOT / "deploy/setup.sh").read_text())
        # What the .deb generator calls beside dpkg.
        packages = (ROOT / "deploy/requirements/build.apt").read_text().split()
        self.assertLessEqual({"file", "dpkg-dev"}, set(packages))
        for part in re.findall(r"RUN deploy/setup.sh (\w+)", (ROOT / "deploy/Dockerfile").read_text()):
            self.assertRegex((ROOT / "deploy/setup.sh").read_text(), rf"(?m)^{part}\(\) ")

    def test_its_packages_are_debians(self):
        words = " ".join(rest for name, rest in self.instructions() if name == "RUN")
        installed = re.search(r"--no-install-recommends (.*?) &&", words).group(1).split()
        for package in installed[1:]:
            self.assertIn("Package: ", run("apt-cache", "show", package).stdout, package)

    def test_configuring_finds_nothing_but_what_its_first_stage_installs(self):
        with tempfile.TemporaryDirectory() as folder:
            run("cmake", "-S", ROOT, "-B", folder, "-G", "Ninja")
            cache = (pathlib.Path(folder) / "CMakeCache.txt").read_text()
        found = {os.path.realpath(path) for path in re.findall(r"^[A-Za-z_]\S*:(?:FILEPATH|PATH)=(/usr/.+)$", cache, re.M)}
        listed = re.sub("#.*", "", (ROOT / "deploy/requirements/build.apt").read_text()).split()
        options = [f"--no-{relation}" for relation in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")]
        depends = run("apt-cache", "depends", "--recurse", *options, *listed).stdout
        brought = {line.split(":")[0] for line in depends.splitlines() if not line.startswith(" ")}
        owned = 0
        for line in run("dpkg", "-S", *found, check=False).stdout.splitlines():
            owners, path = line.rsplit(": ", 1)
            if path not in found:
                continue  # "no path found matching"
            owned += 1
            self.assertTrue({owner.split(":")[0] for owner in owners.split(", ")} & brought, f"{path} is of {owners}, which build.apt does not bring")
        self.assertGreater(owned, 20)

    def test_nothing_of_the_working_tree_leaks_into_it(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        for name in (".git", ".venv", ".cache", "build", "exports"):
            self.assertIn(name, ignored)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
