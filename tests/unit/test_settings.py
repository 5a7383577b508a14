"""config.yaml, environment and flags: who beats whom, and what is refused with which words."""

from pathlib import Path

import pytest

from prebrush.errors import ConfigError, RequestError
from prebrush.planning import check_choices
from prebrush.settings import Settings, describe_settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


BOMB = "server: {host: &l0 [lol]" + "".join(f", x{n}: &l{n} [{f'*l{n - 1}, ' * 10}]" for n in range(1, 9)) + "}"
"""A billion words, by aliases."""


def write(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_the_shipped_file_holds_the_defaults():
    loaded = load_settings(ROOT / "config.yaml", environ={})
    assert loaded == Settings(default=loaded.default, projects=loaded.projects)
    assert dict(loaded.default) == {}
    assert loaded.projects == {}


def test_flag_beats_environment_beats_file(tmp_path):
    path = write(tmp_path, "server: {port: 1, threads: 5, jobs: 7}")
    loaded = load_settings(
        path,
        environ={"PREBRUSH_SERVER_PORT": "2", "PREBRUSH_SERVER_THREADS": "6"},
        flags={("server", "port"): 3},
    )
    assert (loaded.server.port, loaded.server.threads, loaded.server.jobs) == (3, 6, 7)


def test_label_studios_own_variables_are_read():
    names = {"LABEL_STUDIO_API_KEY": "k", "BASIC_AUTH_USER": "u", "BASIC_AUTH_PASS": "p"}
    environ = {"LABEL_STUDIO_URL": "http://studio:8080", **names}
    loaded = load_settings(environ=environ)
    assert loaded.label_studio.url == "http://studio:8080"
    assert loaded.label_studio.api_key == "k"
    assert (loaded.server.basic_auth_user, loaded.server.basic_auth_pass) == ("u", "p")


def test_the_default_method_can_come_from_the_environment():
    params = '{"n_clusters": 3}'
    loaded = load_settings(environ={"PREBRUSH_DEFAULT_METHOD": "kmeans", "PREBRUSH_DEFAULT_PARAMS": params})
    assert dict(loaded.default) == {"method": "kmeans", "params": {"n_clusters": 3}}


def test_a_variable_without_a_value_says_nothing():
    assert load_settings(environ={"PREBRUSH_SERVER_PORT": ""}).server.port == 9090


def test_lists_of_hosts_may_be_yaml_lists(tmp_path):
    loaded = load_settings(write(tmp_path, "images: {allowed_hosts: [minio, 10.0.0.0/8]}"), environ={})
    assert loaded.images.allowed_hosts == "minio,10.0.0.0/8"


def test_a_mapping_may_take_over_another_and_change_it(tmp_path):
    text = "default: &all {method: kmeans, regions: {max: 5}}\nprojects: {7: {<<: *all, method: slic}, 8: {<<: *all}}"
    projects = load_settings(write(tmp_path, text), environ={}).projects
    assert (projects["7"]["method"], projects["7"]["regions"], projects["8"]["method"]) == (
        "slic",
        {"max": 5},
        "kmeans",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sever: {}", "server"),
        ("server: {prot: 1}", "port"),
        ("server: {port: 70000}", "0 to 65535"),
        ("server: {port: true}", "whole number"),
        ("server: 5", "key: value"),
        ("- 1", "sections"),
        ("server: [", "not YAML"),
        ("default: {methd: x}", "method"),
        ("default: 3", "default"),
        ("projects: {7: {param: {}}}", "params"),
        ("label_studio: {api_key: s3cret}", "LABEL_STUDIO_API_KEY"),
        (BOMB, "over 100000 values"),
        ("default: {params: &a {x: *a}}", "over 100000 values"),
        ("[" * 50_000, "too deep"),
        ("server: {port: " + "9" * 5000 + "}", "digits"),
        ("server: {port: 2026-02-31}", "not YAML"),
        ("server: {~: 1}", "no parameter .*it has: host"),
        ("default: {method: kmeans, 1: 2}", "no key '1'"),
        ("server: {? [a] : 1}", "not YAML"),
        ("server: {port: 1}\nserver: {threads: 8}", "the key 'server' is there twice.*line 2"),
        ("projects: {7: {method: kmeans}, '7': {method: slic}}", "the key '7' is there twice"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path, text, words):
    with pytest.raises(ConfigError, match=words) as raised:
        load_settings(write(tmp_path, text), environ={})
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("label", ["No", "1", "2026-11-24", "~"])
def test_a_label_is_text_however_yaml_would_read_it(tmp_path, label):
    text = f"default: {{labels: {{{label}: {{method: kmeans}}}}}}"
    assert load_settings(write(tmp_path, text), environ={}).default["labels"] == {label: {"method": "kmeans"}}


@pytest.mark.parametrize("key", ["params", "regions", "labels", "prompts"])
@pytest.mark.parametrize("where", ["default", "projects"])
def test_a_list_where_a_mapping_belongs_is_named(tmp_path, key, where):
    choice = f"{{{key}: [Cat, Dog]}}"
    text = f"default: {choice}" if where == "default" else f"projects: {{7: {choice}}}"
    with pytest.raises(RequestError, match=f"config.yaml, {where}.*{key} must be an object"):
        check_choices(load_settings(write(tmp_path, text), environ={}))


def test_an_unknown_variable_names_the_nearest():
    with pytest.raises(ConfigError, match="PREBRUSH_SERVER_PORT"):
        load_settings(environ={"PREBRUSH_SERVER_PROT": "1"})


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(tmp_path / "none.yaml", environ={})


@pytest.mark.parametrize("name", ["BASIC_AUTH_USER", "BASIC_AUTH_PASS"])
def test_half_of_a_login_is_refused(name):
    with pytest.raises(ConfigError, match="both"):
        load_settings(environ={name: "x"})


def test_passwords_in_addresses_are_not_shown():
    loaded = load_settings(
        environ={"LABEL_STUDIO_URL": "http://me:hush@studio", "PREBRUSH_STORAGE_URL": "redis://:hu/sh@box"}
    )
    shown = str(describe_settings(loaded))
    assert "hush" not in shown
    assert "hu/sh" not in shown
    assert "http://***@studio" in shown


def test_secrets_are_not_shown():
    loaded = load_settings(environ={"LABEL_STUDIO_API_KEY": "hush", "BASIC_AUTH_USER": "me", "BASIC_AUTH_PASS": "hush"})
    assert "hush" not in str(describe_settings(loaded))
