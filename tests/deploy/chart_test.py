#!/usr/bin/env python3
"""The Helm chart, rendered by Helm itself and checked against Kubernetes' and KEDA's schemas.

Usage: chart_test.py BINARIES     (in the environment of tests/run.sh: SLIPWAY_CHARTS_PYTHON has Helm and the schemas)
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

if sys.executable != os.environ["SLIPWAY_CHARTS_PYTHON"]:
    os.execv(os.environ["SLIPWAY_CHARTS_PYTHON"], [os.environ["SLIPWAY_CHARTS_PYTHON"], *sys.argv])

import helm_python as helm
import kubernetes_validate
import yaml
from cloudcoil.models.keda import v1alpha1 as keda

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "slipway"
VERSIONS = ["1.25", "1.32"]  # the oldest that the chart says, and one of today
MINIMAL = {"redis": {"address": "redis:6379"}}
FULL = {
    "image": {"repository": "registry.example.com/slipway", "tag": "1.2.3"},
    "imagePullSecrets": ["pull"],
    "redis": {"address": "sentinel:farm@s1.cache:26379,s2.cache:26379", "user": "slipway", "passwordSecret": "redis", "sentinelPasswordSecret": "sentinels",
              "shard": "7", "tls": {"enabled": True, "secret": "redis-tls", "clientCertificate": True, "serverName": "redis.cache"}},
    "store": {"url": "s3://blobs/farm?endpoint=https://minio:9000", "credentialsSecret": "s3", "serviceAccount": "blobs"},
    "coordinator": {"replicas": 3, "tls": {"secret": "farm-tls", "clientCa": True}, "tokensSecret": "farm-tokens", "extraEnv": {"SLIPWAY_TENANT_OPEN_TASKS": "20000"}, "nodeSelector": {"pool": "small"}},
    "worker": {"slots": 4, "drainSeconds": 90, "tolerations": [{"key": "batch", "operator": "Exists"}]},
    "autoscaling": {"maxReplicas": 50, "tasksPerWorker": 16},
    "metrics": {"podMonitor": True, "rules": True},
    "networkPolicy": {"clients": [{"namespaceSelector": {"matchLabels": {"team": "models"}}}]},
}
FIXED = {"redis": {"address": "redis:6379"}, "autoscaling": {"enabled": False}, "worker": {"replicas": 5, "slots": 0}, "store": {"existingClaim": "shared"},
         "networkPolicy": {"enabled": False}}
OPERATORS = {"monitoring.coreos.com/v1"}  # of the Prometheus operator: looked at below


def render(values):
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(values)
        rendered = chart.render(values, name="farm", namespace="models")
    documents = []
    for path, text in rendered.items():
        if path.endswith(".yaml"):
            documents += [document for document in yaml.safe_load_all(text) if document]
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def container(objects, part):
    return objects["Deployment", f"farm-slipway-{part}"]["spec"]["template"]["spec"]["containers"][0]


def environment(objects, part):
    return {entry["name"]: entry["value"] for entry in container(objects, part)["env"]}


class ChartTest(unittest.TestCase):
    def test_lints(self):
        with tempfile.TemporaryDirectory() as folder:  # lint takes values from the chart alone
            copy = pathlib.Path(folder) / "slipway"
            subprocess.run(["cp", "-r", str(CHART), str(copy)], check=True)
            values = copy / "values.yaml"
            values.write_text(values.read_text().replace('address: ""', "address: redis:6379"))
            findings = helm.lint(str(copy))
            self.assertNotIn("ERROR", json.dumps(findings, default=str), findings)

    def test_every_object_is_what_kubernetes_takes(self):
        for values in (MINIMAL, FULL, FIXED):
            for key, document in render(values).items():
                with self.subTest(object=key):
                    if document["apiVersion"] in OPERATORS:
                        continue
                    if document["kind"] == "ScaledObject":
                        model = keda.ScaledObject.model_validate(document)
                        known = model.model_dump(by_alias=True, exclude_unset=True, mode="json")
                        self.assertEqual(known["spec"], document["spec"])  # what KEDA does not know it would drop
                        continue
                    for version in VERSIONS:
                        kubernetes_validate.validate(document, version, strict=True)

    def test_refuses_wrong_values(self):
        wrong = [{}, {"redis": {"address": "redis"}}, {"redis": {"address": "sentinel:farm"}},
                 {"redis": {**MINIMAL["redis"], "tls": {"enabled": True, "clientCertificate": True}}}, {**MINIMAL, "coordinator": {"replicas": 0}}, {**MINIMAL, "workers": {}},
                 {**MINIMAL, "store": {"url": "/mnt"}}, {**MINIMAL, "logLevel": "loud"}, {**MINIMAL, "worker": {"prewarm": ["tensorflow"]}},
                 {**MINIMAL, "coordinator": {"extraEnv": {"SLIPWAY_X": 1}}}]
        for values in wrong:
            with self.subTest(values=values), self.assertRaises(helm.HelmError):
                render(values)

    def test_the_default_farm(self):
        objects = render(MINIMAL)
        self.assertEqual({kind for kind, _ in objects}, {"Deployment", "Service", "PodDisruptionBudget", "ScaledObject", "PersistentVolumeClaim", "NetworkPolicy"})
        self.assertEqual(environment(objects, "worker")["SLIPWAY_STORE"], "/var/lib/slipway")
        self.assertEqual(environment(objects, "worker")["SLIPWAY_LEASE"], environment(objects, "coordinator")["SLIPWAY_LEASE"])
        self.assertNotIn("replicas", objects["Deployment", "farm-slipway-worker"]["spec"])  # KEDA's to say
        self.assertEqual(objects["PersistentVolumeClaim", "farm-slipway-store"]["spec"]["accessModes"], ["ReadWriteMany"])

    def test_pods_have_no_privilege(self):
        for values in (MINIMAL, FULL):
            objects = render(values)
            for part in ("coordinator", "worker"):
                pod = objects["Deployment", f"farm-slipway-{part}"]["spec"]["template"]["spec"]
                self.assertTrue(pod["securityContext"]["runAsNonRoot"])
                self.assertFalse(pod["automountServiceAccountToken"])
                self.assertEqual(pod.get("serviceAccountName"), values.get("store", {}).get("serviceAccount"))
                security = container(objects, part)["securityContext"]
                self.assertEqual(security["capabilities"], {"drop": ["ALL"]})
                self.assertTrue(security["readOnlyRootFilesystem"])
                self.assertFalse(security["allowPrivilegeEscalation"])
                mounted = {mount["name"] for mount in container(objects, part)["volumeMounts"]}
                self.assertEqual(mounted, {volume["name"] for volume in pod["volumes"]})

    def test_full_settings_arrive(self):
        objects = render(FULL)
        coordinator, worker = environment(objects, "coordinator"), environment(objects, "worker")
        self.assertEqual(coordinator["SLIPWAY_STORE"], "s3://blobs/farm?endpoint=https://minio:9000")
        self.assertEqual(coordinator["SLIPWAY_TENANT_OPEN_TASKS"], "20000")
        self.assertEqual(worker["SLIPWAY_SLOTS"], "4")
        self.assertEqual(worker["SLIPWAY_REDIS_PASSWORD_FILE"], "/etc/slipway/redis/password")
        redis = {"SLIPWAY_REDIS": "sentinel:farm@s1.cache:26379,s2.cache:26379", "SLIPWAY_REDIS_USER": "slipway",
                 "SLIPWAY_REDIS_PASSWORD_FILE": "/etc/slipway/redis/password", "SLIPWAY_REDIS_SENTINEL_PASSWORD_FILE": "/etc/slipway/sentinel/password",
                 "SLIPWAY_REDIS_TLS": "true", "SLIPWAY_REDIS_TLS_CA": "/etc/slipway/redis-tls/ca.crt",
                 "SLIPWAY_REDIS_TLS_CERT": "/etc/slipway/redis-tls/tls.crt", "SLIPWAY_REDIS_TLS_KEY": "/etc/slipway/redis-tls/tls.key",
                 "SLIPWAY_REDIS_TLS_NAME": "redis.cache"}
        for part in (coordinator, worker):
            self.assertEqual({name: value for name, value in part.items() if name.startswith("SLIPWAY_REDIS")}, redis)
        folders = {mount["mountPath"] for mount in container(objects, "worker")["volumeMounts"]}
        for name, value in redis.items():
            if value.startswith("/"):
                self.assertIn(value.rpartition("/")[0], folders, name)
        self.assertNotIn(("PersistentVolumeClaim", "farm-slipway-store"), objects)
        self.assertEqual(container(objects, "worker")["image"], "registry.example.com/slipway:1.2.3")
        self.assertNotIn("SLIPWAY_SLOTS", environment(render(FIXED), "worker"), "the worker sizes itself by its limits")
        # Whoever drains is given the time for it.
        grace = objects["Deployment", "farm-slipway-worker"]["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        self.assertGreater(grace, int(worker["SLIPWAY_DRAIN_TIMEOUT"]))
        rules = objects["PrometheusRule", "farm-slipway"]["spec"]
        self.assertEqual(rules, yaml.safe_load((CHART / "files" / "alerts.yaml").read_text()))
        selector = objects["PodMonitor", "farm-slipway"]["spec"]["selector"]["matchLabels"]
        for part in ("coordinator", "worker"):
            labels = objects["Deployment", f"farm-slipway-{part}"]["spec"]["template"]["metadata"]["labels"]
            self.assertEqual(selector, {name: labels.get(name) for name in selector})

    def test_callers_are_asked_for_what_the_secrets_hold(self):
        tls, tokens = {"secret": "farm-tls"}, "farm-tokens"
        both = {"SLIPWAY_TLS_CERT": "/etc/slipway/tls/tls.crt", "SLIPWAY_TLS_KEY": "/etc/slipway/tls/tls.key"}
        known = {"SLIPWAY_TOKENS": "/etc/slipway/tokens/tokens"}
        authority = {"SLIPWAY_TLS_CLIENT_CA": "/etc/slipway/tls/ca.crt"}
        insecure = {"SLIPWAY_INSECURE": "1"}  # the coordinator refuses to start without, and would serve anybody with it
        for settings, expected in (({}, insecure), ({"tls": tls}, {**both, **insecure}), ({"tokensSecret": tokens}, {**known, **insecure}),
                                   ({"tls": tls, "tokensSecret": tokens}, {**both, **known}),
                                   ({"tls": {**tls, "clientCa": True}}, {**both, **authority})):
            with self.subTest(settings=settings):
                objects = render({**MINIMAL, "coordinator": settings})
                found = environment(objects, "coordinator")
                self.assertEqual({name: found[name] for name in found if name in {**both, **known, **authority, **insecure}}, expected)
                mounts = {mount["mountPath"] for mount in container(objects, "coordinator")["volumeMounts"]}
                for path in expected.values():
                    self.assertTrue(path == "1" or path.rsplit("/", 1)[0] in mounts, path)
                for name in expected:
                    self.assertNotIn(name, environment(objects, "worker"))

    def test_scaling_asks_for_a_metric_that_there_is(self):
        trigger = render(MINIMAL)["ScaledObject", "farm-slipway-worker"]["spec"]["triggers"][0]
        objects = render(MINIMAL)
        self.assertEqual(trigger["metadata"]["url"], "http://farm-slipway.models.svc:9464/metrics")
        service = objects["Service", "farm-slipway"]["spec"]
        self.assertIn(9464, [port["port"] for port in service["ports"]])
        labels = objects["Deployment", "farm-slipway-coordinator"]["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(service["selector"], {name: labels.get(name) for name in service["selector"]})
        self.assertEqual(environment(objects, "coordinator")["SLIPWAY_METRICS_LISTEN"], "0.0.0.0:9464")
        self.assertIn(trigger["metadata"]["valueLocation"], metrics())

    def test_every_variable_is_a_flag_of_its_daemon(self):
        for values in (MINIMAL, FULL, FIXED):
            objects = render(values)
            for part in ("coordinator", "worker"):
                known = subprocess.run([sys.argv[1] + "/slipway-" + part, "--help"], capture_output=True, text=True, check=True).stdout
                for name in environment(objects, part):
                    self.assertIn(f"(Env:{name})", known.replace("Env: ", "Env:"), part)

    def test_alerts_speak_of_metrics_that_there_are(self):
        for group in yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]:
            for rule in group["rules"]:
                names = re.findall(r"slipway_[a-z_]+", rule["expr"])
                self.assertTrue(names)
                for name in names:
                    self.assertIn(re.sub(r"_bucket$", "", name), metrics(), rule["alert"])
                self.assertIn(f"| {rule['alert']} |", (ROOT / "docs" / "operations.md").read_text())


def metrics():
    return set(re.findall(r"^\| `([a-z_]+)", (ROOT / "docs" / "operations.md").read_text(), re.M))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
