"""Setups: any labeling config is answered, versions tell predictions apart, projects do not see each other."""

import logging

import pytest

from prebrush.web import create_app

from .asking import TASK, predict, set_up
from .conftest import CONFIG, draw_discs, write_image


def test_predict_without_any_setup(client, file_server):
    write_image(file_server.folder / "data/upload/discs.png", draw_discs())
    answer = predict(client, [{"id": 1, "data": {"image": "/data/upload/discs.png"}}], project="77.1").get_json()
    assert answer["results"][0]["result"]


def test_predict_without_a_config_takes_what_setup_told(client, discs):
    config = CONFIG.replace('name="mask"', 'name="mask" model_method="threshold"')
    version = set_up(client, config=config)
    for nothing in ("", None):
        answer = predict(client, [TASK], config=nothing).get_json()
        assert answer["model_version"] == version
        assert answer["results"][0]["result"]
    assert predict(client, [TASK], config=nothing, project="9.9").status_code == 400
    # an empty config is one, too
    assert predict(client, [TASK], config="<View></View>").status_code == 400


def test_a_label_that_no_segment_can_get_is_warned_of_once(client, discs, caplog):
    asks = CONFIG.replace("<Label", '<Label predicted_values="disc"')
    with caplog.at_level(logging.WARNING):
        set_up(client, config=asks)
        set_up(client, config=asks)
    assert caplog.text.count("gets no region") == 1
    assert 'predicted_values="foreground"' in caplog.text
    assert predict(client, [TASK], config=asks).get_json()["results"][0]["result"] == []
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        set_up(client, config=asks.replace('"disc"', '"foreground"'))
    assert "gets no region" not in caplog.text


def test_projects_do_not_see_each_others_parameters(client):
    other = set_up(client, project="2.5")
    mine = set_up(client, project="1.5", extra={"method": "kmeans"})
    assert mine.startswith("prebrush-kmeans-")
    assert set_up(client, project="2.5") == other != mine
    # the same number in another Label Studio, created at another time
    assert set_up(client, project="1.6") == other
    assert set_up(client, project="1.5", extra=None) == other


def test_the_version_is_equal_where_predictions_would_be_equal(client):
    base = set_up(client)
    assert set_up(client, config=CONFIG.replace("<View>", '<View><Header value="Hi"/>')) == base
    assert set_up(client, config=CONFIG.replace('value="Object"', 'value="Object" background="#ff0000"')) == base
    changed = {
        set_up(client, config=CONFIG.replace('value="Object"', 'value="Cell"')),
        set_up(client, config=CONFIG.replace('name="mask"', 'name="mask" model_method="kmeans"')),
        set_up(client, config=CONFIG.replace('name="mask"', 'name="mask" model_method="kmeans" model_n_clusters="7"')),
        set_up(client, config=CONFIG.replace('name="mask"', 'name="mask" model_max_regions="7"')),
        set_up(client, extra={"labels": {"rule": "size"}}),
        base,
    }
    assert len(changed) == 6


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("<View></View>", "Image"),
        ('<View><Image name="i" value="$image"/></View>', "BrushLabels"),
        ('<View><Text name="t" value="$t"/><Choices name="c" toName="t"><Choice value="a"/></Choices></View>', "Image"),
        ("not xml", "XML"),
    ],
)
def test_setup_answers_for_any_config_and_predict_says_what_to_add(client, config, words):
    assert set_up(client, config=config).startswith("prebrush-")
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}], config=config)
    assert answer.status_code == 400
    assert answer.get_json()["error"] == "invalid_label_config"
    assert words in answer.get_json()["detail"]


@pytest.mark.parametrize(
    ("attributes", "error", "words"),
    [
        ('model_method="kmean"', "unknown_method", "kmeans"),
        ('model_method="kmeans" model_n_cluster="3"', "invalid_params", "n_clusters"),
        ('model_method="kmeans" model_n_clusters="99999"', "invalid_params", "n_clusters"),
        ('model_n_clusters="3"', "invalid_params", "choose a method that has it: kmeans"),
        ('model_method="kmeans" model_max_region="3"', "invalid_params", "did you mean max_regions, of the regions?"),
        ('model_method="kmeans" model_max="3"', "invalid_params", "did you mean max_regions, of the regions?"),
    ],
)
def test_a_wrong_attribute_is_named(client, attributes, error, words):
    config = CONFIG.replace('name="mask"', f'name="mask" {attributes}')
    assert set_up(client, config=config).startswith("prebrush-")
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}], config=config)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)
    assert words in answer.get_json()["detail"]


def test_a_knob_in_the_wrong_place_is_told_where_it_goes(client):
    set_up(client, extra={"method": "kmeans", "params": {"min_area": 5}})
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}])
    assert answer.status_code == 400
    assert "'min_area': it goes under regions, not under params" in answer.get_json()["detail"]


def test_precedence_tag_then_extra_then_project_then_default(make_settings):
    settings = make_settings(default={"method": "threshold"}, projects={"4": {"method": "felzenszwalb"}})
    client = create_app(settings).test_client()
    tagged = CONFIG.replace('name="mask"', 'name="mask" model_method="grabcut"')

    def method(version):
        return version.split("-")[1]

    assert method(set_up(client, project="3.1")) == "threshold"
    assert method(set_up(client, project="4.1")) == "felzenszwalb"
    assert method(set_up(client, project="4.1", extra={"method": "kmeans"})) == "kmeans"
    assert method(set_up(client, project="4.1", extra={"method": "kmeans"}, config=tagged)) == "grabcut"


@pytest.mark.parametrize("extra", [[1], "no json", 5, '"text"'])
def test_setup_answers_for_extra_parameters_that_are_no_object(client, extra):
    assert set_up(client, extra=extra).startswith("prebrush-none-")
    answer = predict(client, [{"id": 1, "data": {"image": "x"}}])
    assert answer.status_code == 400
    assert "extra parameters" in answer.get_json()["detail"]
