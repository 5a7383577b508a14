"""Requests of a real Label Studio, replayed: each gets what Label Studio accepts, judged by the official SDK."""

import json
from pathlib import Path

import numpy as np
import pytest

RECORDED = sorted(path.stem for path in (Path(__file__).parents[1] / "recorded").glob("*.json"))
BATCH = [
    name
    for name in RECORDED
    if name.startswith("predict_") and name not in {"predict_cloud_storage", "predict_local_files"}
]

brush = pytest.importorskip("label_studio_sdk.converter.brush")
interface = pytest.importorskip("label_studio_sdk.label_interface")


def replay(client, call):
    request = call["request"]
    body = None if request["body"] is None else json.dumps(request["body"])
    return client.open(request["path"], method=request["method"], data=body, content_type="application/json")


def assert_no_null(value, where="answer"):
    assert value is not None, where
    if isinstance(value, dict):
        for key, inner in value.items():
            assert_no_null(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if not isinstance(inner, int):
                assert_no_null(inner, f"{where}[{index}]")


@pytest.mark.parametrize("name", RECORDED)
def test_every_recorded_request_is_answered_with_json(name, client, studio, recorded):
    answer = replay(client, recorded(name))
    assert 200 <= answer.status_code < 300, answer.text
    assert answer.is_json
    assert_no_null(answer.get_json())


@pytest.mark.parametrize("name", BATCH)
def test_every_prediction_has_one_entry_a_task_that_the_sdk_accepts(name, client, studio, recorded):
    call = recorded(name)
    body = call["request"]["body"]
    answer = replay(client, call).get_json()
    assert len(answer["results"]) == len(body["tasks"])
    judge = interface.LabelInterface(body["label_config"])
    for entry in answer["results"]:
        assert entry["model_version"] == answer["model_version"]
        assert isinstance(entry["score"], float)
        assert judge.validate_prediction(entry, return_errors=True) == []
        for region in entry["result"]:
            pixels = brush.decode_rle(region["value"]["rle"]).reshape(120, 160, 4)
            assert (region["original_height"], region["original_width"]) == (120, 160)
            assert set(np.unique(pixels)) <= {0, 255}
            assert pixels[..., 3].any()


def test_setup_and_predictions_agree_on_the_version(client, studio, recorded):
    told = replay(client, recorded("setup")).get_json()["model_version"]
    answer = replay(client, recorded("predict_batch")).get_json()
    assert answer["model_version"] == told
    assert {entry["model_version"] for entry in answer["results"]} == {told}


def test_interactive_answers_carry_the_prompts_label_under_fresh_ids(client, studio, recorded):
    batch = replay(client, recorded("predict_batch")).get_json()
    stored = {region["id"] for entry in batch["results"] for region in entry["result"]}
    call = recorded("predict_interactive_keypoint")
    first, second = (replay(client, call).get_json()["results"][0]["result"] for _ in range(2))
    assert len(first) == len(second) == 1
    assert first[0]["value"]["brushlabels"] == ["Object"]
    assert first[0]["from_name"] == "mask"
    assert first[0]["id"] not in stored | {second[0]["id"]}
