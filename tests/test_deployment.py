"""The files under docker/ fit their schemas, each other, and the settings of the code."""

import json
import os
import re
import shutil
import subprocess
from copy import deepcopy
from importlib.resources import files
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from jsonschema.validators import validator_for

from documents import ENVIRONMENT
from prebrush.settings import load_settings
from prebrush.storage import open_storage
from redis_servers import RedisServer, require_redis_server

DOCKER = Path(__file__).resolve().parents[1] / "docker"
KUBERNETES = DOCKER / "kubernetes"
MANIFESTS = sorted(path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml")
SECURE = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


class Reset:
    """Stands for Compose's tag that takes away what an earlier file says."""


class ComposeLoader(yaml.SafeLoader):
    """Reads YAML with Compose's own tag."""


ComposeLoader.add_constructor("!reset", lambda *_: Reset)


def load_compose(*names: str) -> dict:
    """Merge Compose files as Compose does, as far as these need it; without the tag, which no schema knows."""
    services: dict[str, dict] = {}
    whole: dict = {}
    for name in names:
        content = yaml.load((DOCKER / name).read_text(), ComposeLoader)
        for service, entries in content.pop("services").items():
            known = services.setdefault(service, {})
            for key, value in entries.items():
                if value is Reset:
                    known.pop(key, None)
                elif isinstance(known.get(key), list):
                    known[key] = known[key] + value
                else:
                    known[key] = value
        whole |= content
    return {**whole, "services": services}


COMPOSE = load_compose("docker-compose.yml")
REPLICAS = load_compose("docker-compose.yml", "docker-compose.replicas.yml")


def documents() -> dict[tuple[str, str], dict]:
    """Give every Kubernetes resource by kind and name."""
    found = [entry for path in MANIFESTS for entry in yaml.safe_load_all(path.read_text())]
    return {(entry["kind"], entry["metadata"]["name"]): entry for entry in found}


def pod_of(kind: str, name: str) -> dict:
    return documents()[kind, name]["spec"]["template"]["spec"]


@pytest.mark.parametrize("content", [COMPOSE, REPLICAS], ids=["one", "replicas"])
def test_compose_files_fit_the_compose_specification(content):
    schema = json.loads(files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text())
    validator = validator_for(schema)(schema)
    assert not list(validator.iter_errors(content))
    broken = deepcopy(content)
    broken["services"]["redis"]["imagee"] = "redis"
    assert list(validator.iter_errors(broken))


@pytest.mark.parametrize("content", [COMPOSE, REPLICAS], ids=["one", "replicas"])
def test_compose_services_name_what_is_there(content):
    services = content["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports))
    assert all(port.startswith("127.0.0.1:") for port in ports)
    for service in services.values():
        assert set(service.get("depends_on", [])) <= set(services)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (DOCKER / source).is_file() if source.startswith(".") else source in content["volumes"]


def test_label_studio_may_reach_a_local_backend():
    environment = COMPOSE["services"]["label-studio"]["environment"]
    assert environment["ML_BLOCK_LOCAL_IP"] == environment["SSRF_PROTECTION_ENABLED"] == "false"


def test_variables_in_compose_files_are_explained():
    listed = set(re.findall(r"^#?([A-Z_]+)=", ENVIRONMENT.read_text(), re.MULTILINE))
    used = {name for path in DOCKER.glob("*.yml") for name in re.findall(r"\$\{([A-Z_]+)", path.read_text())}
    assert used <= listed


@pytest.mark.parametrize("where", ["compose", "image", "kubernetes"])
def test_only_settings_that_exist_are_set(where):
    if where == "compose":
        environ = COMPOSE["services"]["prebrush"]["environment"]
        environ = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", value) for name, value in environ.items()}
    elif where == "image":
        environ = dict(re.findall(r"(PREBRUSH_[A-Z_]+)=(\S+)", (DOCKER / "Dockerfile").read_text()))
        assert environ.pop("PREBRUSH_CONFIG") == "/etc/prebrush/config.yaml"
    else:
        entries = pod_of("Deployment", "prebrush")["containers"][0]["env"]
        environ = documents()["ConfigMap", "prebrush"]["data"] | {entry["name"]: "2" for entry in entries}
    settings = load_settings(environ={**environ, "PREBRUSH_CONFIG": str(DOCKER.parent / "config.yaml")})
    assert settings.server.port == 9090
    if where != "kubernetes":
        assert settings.server.host == "0.0.0.0"
    if where != "image":
        assert settings.storage.url.startswith("redis://")
        assert settings.label_studio.url


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["1.29", ""])
def test_manifests_fit_the_schemas_of_kubernetes(path, version):
    resources = list(yaml.safe_load_all(path.read_text()))
    assert resources
    for resource in resources:
        kubernetes_validate.validate(resource, version or kubernetes_validate.latest_version(), strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**resource, "spek": {}}, "1.29", strict=True)


def test_kustomizations_list_every_manifest_and_image():
    for folder in (KUBERNETES, KUBERNETES / "workers"):
        content = yaml.safe_load((folder / "kustomization.yaml").read_text())
        here = [path for path in MANIFESTS if path.parent == folder]
        assert sorted(content["resources"]) == [path.name for path in here]
        built = {
            name for path in here for name in re.findall(r"image: (prebrush[\w-]*)$", path.read_text(), re.MULTILINE)
        }
        assert {image["name"] for image in content["images"]} == built


def test_manifests_point_at_each_other():
    found = documents()
    for (kind, name), resource in found.items():
        spec = resource.get("spec", {})
        if kind == "Service":
            owner = found.get(("Deployment", name)) or found["StatefulSet", name]
            labels = owner["spec"]["template"]["metadata"]["labels"]
            assert spec["selector"].items() <= labels.items()
            named = {port["name"] for port in owner["spec"]["template"]["spec"]["containers"][0]["ports"]}
            assert {port["targetPort"] for port in spec["ports"]} <= named
        if kind == "HorizontalPodAutoscaler":
            assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) in found
            assert spec["minReplicas"] > found["PodDisruptionBudget", name]["spec"]["maxUnavailable"]
    deployment = found["Deployment", "prebrush"]["spec"]
    assert "replicas" not in deployment
    assert deployment["selector"] == found["PodDisruptionBudget", "prebrush"]["spec"]["selector"]


PODS = [("Deployment", "prebrush"), ("Deployment", "prebrush-worker"), ("StatefulSet", "prebrush-redis")]


@pytest.mark.parametrize("owner", PODS)
def test_pods_are_locked_down(owner):
    pod = pod_of(*owner)
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    # a service's address as PREBRUSH_PORT would be a setting that does not exist
    assert pod["enableServiceLinks"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == SECURE
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("owner", [owner for owner in PODS if "worker" not in owner[1]])
def test_pods_that_answer_are_watched(owner):
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= pod_of(*owner)["containers"][0].keys()


@pytest.mark.parametrize("name", ["prebrush", "prebrush-worker"])
def test_pods_run_as_the_images_user(name):
    user, group = map(int, re.search(r"^USER (\d+):(\d+)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE).groups())
    pod = pod_of("Deployment", name)
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (user, group)
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert {"/tmp", "/data"} <= mounts


def test_workers_have_the_settings_of_the_servers():
    """Where they differ, a worker leaves the runs alone."""
    server, worker = (pod_of("Deployment", name)["containers"][0] for name in ("prebrush", "prebrush-worker"))
    names = [[next(iter(source.values()))["name"] for source in pod["envFrom"]] for pod in (server, worker)]
    assert names == [["prebrush", "prebrush"]] * 2
    (cores,) = worker["env"]
    assert cores["valueFrom"]["resourceFieldRef"] == {"containerName": "worker", "resource": "limits.cpu"}
    compose = REPLICAS["services"]
    for name in ("LABEL_STUDIO_URL", "PREBRUSH_STORAGE_URL"):
        assert compose["worker"]["environment"][name] == compose["prebrush"]["environment"][name]
    assert compose["worker"]["command"] == worker["command"] == ["prebrush", "worker"]


def redis_command(where: str) -> list[str]:
    if where == "kubernetes":
        return pod_of("StatefulSet", "prebrush-redis")["containers"][0]["args"]
    return re.sub(r"\$\{\w+:-(\w+)\}", r"\1", COMPOSE["services"]["redis"]["command"]).split()


@pytest.mark.parametrize("where", ["compose", "kubernetes"])
def test_redis_as_it_is_set_forgets_masks_and_nothing_else(where, tmp_path):
    require_redis_server()
    program, *options = redis_command(where)
    assert program == "redis-server"
    assert options[options.index("--maxmemory") + 1].endswith("gb")
    options[options.index("--maxmemory") + 1] = "8mb"
    server = RedisServer(tmp_path / "redis", *options).start()
    try:
        storage = open_storage(server.url, max_bytes=1 << 30, ttl_s=3600)
        assert storage.check() == []
        for number in range(20):
            storage.save_project(str(number), bytes(10_000))
        for number in range(200):
            storage.put(str(number), bytes(100_000))
        assert 0 < sum(storage.get(str(number)) is not None for number in range(200)) < 100
        server.stop()
        server.start()
        assert all(storage.load_project(str(number)) == bytes(10_000) for number in range(20))
        storage.close()
    finally:
        server.kill()


def test_the_proxy_reads_its_configuration():
    if shutil.which("haproxy") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("haproxy is not installed, and in CI it must be")
        pytest.skip("haproxy is not installed")
    answer = subprocess.run(
        ["haproxy", "-c", "-f", str(DOCKER / "haproxy.cfg")], capture_output=True, text=True, timeout=30
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("kind", ["x86-64-v3", "x86-64-v2", "generic"])
def test_kernels_are_asked_for_where_the_image_has_them(kind):
    """What the start script names is what the image is built with."""
    assert kind in (DOCKER / "prebrush.sh").read_text()
    assert kind in (DOCKER / "Dockerfile").read_text()
