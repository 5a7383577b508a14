"""Knobs that contradict each other are refused in the same words wherever they come from."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from prebrush import segment
from prebrush.errors import InvalidParams
from prebrush.web import create_app

from .conftest import CONFIG, draw_discs

KNOBS = {"algorithm": "hysteresis", "low": 200, "high": 100}
CHOICE = {"method": "threshold", "params": KNOBS}
WORDS = "low=200 is above high=100: it must be high at most"
TASKS = [{"id": 1, "data": {"image": "x"}}]


def refusal(client, config=CONFIG, extra=None):
    setup = {"project": "1.1700000000", "schema": config, "hostname": "", "access_token": "", "extra_params": extra}
    assert client.post("/setup", json=setup).status_code == 200
    body = {"tasks": TASKS, "project": "1.1700000000", "label_config": config, "params": {"context": None}}
    answer = client.post("/predict", json=body)
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_params")
    return answer.get_json()["detail"]


def run(*arguments, cwd):
    command = [sys.executable, "-m", "prebrush", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=100, check=False)


def test_on_a_tag(client):
    attributes = 'model_method="threshold" ' + " ".join(f'model_{name}="{value}"' for name, value in KNOBS.items())
    config = CONFIG.replace('name="mask"', f'name="mask" {attributes}')
    assert WORDS in refusal(client, config)
    assert WORDS in client.post("/validate", json={"config": config}).get_json()["detail"]


@pytest.mark.parametrize("extra", [CHOICE, json.dumps(CHOICE)])
def test_in_extra_parameters(client, extra):
    assert WORDS in refusal(client, extra=extra)


def test_between_a_tag_and_extra_parameters(client):
    config = CONFIG.replace('name="mask"', 'name="mask" model_low="200"')
    extra = {"method": "threshold", "params": {"algorithm": "hysteresis", "high": 100}}
    assert WORDS in refusal(client, config, extra)


def test_in_the_settings_of_a_project(make_settings):
    assert WORDS in refusal(create_app(make_settings(projects={"1": CHOICE})).test_client())


def test_in_the_playground(client):
    image = cv2.imencode(".png", draw_discs())[1].tobytes()
    digest = client.post("/playground/images", data=image).get_json()["image"]
    answer = client.post("/playground/segment", json={"image": digest, "choice": CHOICE})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "invalid_params")
    assert WORDS in answer.get_json()["detail"]


def test_in_config_yaml_the_server_does_not_start(tmp_path):
    (tmp_path / "config.yaml").write_text(f"default: {json.dumps(CHOICE)}\n")
    for command, code in (("serve", 2), ("check", 1)):
        done = run(command, "--config", "config.yaml", cwd=tmp_path)
        assert done.returncode == code
        assert WORDS in " ".join((done.stdout + done.stderr).split())


def test_on_the_command_line(tmp_path):
    assert cv2.imwrite(str(tmp_path / "discs.png"), draw_discs())
    knobs = [part for name, value in KNOBS.items() for part in ("-p", f"{name}={value}")]
    done = run("segment", "discs.png", "--method", "threshold", *knobs, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert WORDS in done.stderr


def test_in_the_library():
    with pytest.raises(InvalidParams, match=WORDS):
        segment(np.zeros((9, 9), np.uint8), method="threshold", **KNOBS)
