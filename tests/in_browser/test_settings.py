"""Settings are taken along, and do elsewhere what they did on the page."""

import base64
import json
import re

import numpy as np
import pytest

from prebrush.labelstudio import rle
from servers import Server

from .screen import expect, open_method, settled


def test_the_setting_is_copied_in_every_form(open_page, photos):
    import yaml

    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.set_input_files("#file", photos[0])
    open_method(page, "kmeans")
    page.fill("#params-n_clusters", "6")
    page.keyboard.press("Tab")
    settled(page, "segment")
    page.get_by_text("Clean-up").click()
    page.select_option("#regions-instances", "merge")
    settled(page, "segment")

    def copied(form: str) -> str:
        page.get_by_role("radio", name=form).check()
        page.click("#copy")
        expect(page.locator("#status")).to_have_text("Copied.")
        return page.evaluate("navigator.clipboard.readText()")

    assert copied("Tag") == (
        '<BrushLabels name="mask" toName="image" model_method="kmeans" model_n_clusters="6" model_instances="merge">'
    )
    choice = {"method": "kmeans", "params": {"n_clusters": 6}, "regions": {"instances": "merge"}}
    assert json.loads(copied("JSON")) == choice
    assert yaml.safe_load(copied("YAML")) == {"default": choice}


def test_a_task_of_a_project_is_tried_and_its_setting_saved(open_page, server, file_server, photos):
    """The stand-in for Label Studio gives a list of tasks and their images."""
    folder = file_server.folder
    (folder / "data/upload/1").mkdir(parents=True)
    (folder / "api/projects").mkdir(parents=True)
    (folder / "api/projects/index.html").write_text('{"results": [{"id": 7, "title": "Discs & rings"}]}')
    tasks = []
    for number, photo in enumerate(photos, start=41):
        (folder / "data/upload/1" / photo.name).write_bytes(photo.read_bytes())
        tasks.append({"id": number, "data": {"image": f"/data/upload/1/{photo.name}"}})
    (folder / "api/tasks").write_text(json.dumps({"tasks": tasks}))
    config = (
        '<View><Image name="image" value="$image"/><BrushLabels name="mask" toName="image" >'
        '<Label value="Disc"/></BrushLabels></View>'
    )
    setup = {"project": "7.1700000000", "schema": config, "hostname": file_server.url, "access_token": "t"}
    setup["extra_params"] = json.dumps({"labels": {"rule": "size"}})
    before = server.ask("POST", "/setup", json=setup).json()["model_version"]
    server.ask("POST", "/setup", json={**setup, "project": "8.1700000000"})
    page = open_page()
    names = page.locator("#project option")
    host = file_server.url
    expect(names).to_have_text([f"Discs & rings (7) at {host}", f"Project 8 at {host}"])
    page.select_option("#project", "7.1700000000")
    page.click("#open-project")
    expect(page.locator("#place")).to_have_text("1 of 2")
    expect(page.locator("#status")).to_contain_text("methods in", timeout=60_000)
    open_method(page, "threshold")
    settled(page, "2 segments")
    expect(page.get_by_label("Name of label 1")).to_have_value("Disc")
    assert page.input_value("#labels-rule") == "size"
    page.keyboard.press("ArrowRight")
    settled(page, "3 segments")
    page.click("#save-setting")
    expect(page.locator("#status")).to_contain_text("new predictions are prebrush-threshold-")
    saved = re.search(r"prebrush-threshold-[0-9a-f]{8}", page.inner_text("#status"))[0]
    assert server.ask("POST", "/setup", json=setup).json()["model_version"] == saved != before
    page.click("#unsave")
    expect(page.locator("#status")).to_contain_text("Taken back")
    assert server.ask("POST", "/setup", json=setup).json()["model_version"] == before


def masks_of(entry: dict, shape: tuple[int, int]) -> list[bytes]:
    """Return the masks of a prediction, packed, in an order of their own."""
    regions = [region["value"]["rle"] for region in entry["result"]]
    return sorted(np.packbits(rle.decode_mask(region, *shape)).tobytes() for region in regions)


def asked_of(server, photo, tag: str, project: str) -> list[bytes]:
    """Let a server predict a photo with this opening tag."""
    image = "data:image/png;base64," + base64.b64encode(photo.read_bytes()).decode()
    config = f'<View><Image name="image" value="$image"/>{tag}<Label value="Disc"/></BrushLabels></View>'
    body = {"tasks": [{"id": 1, "data": {"image": image}}], "project": project, "label_config": config, "params": {}}
    return masks_of(server.ask("POST", "/predict", json=body).json()["results"][0], (240, 320))


CHANGES = {
    "watershed": {"params-neck": "0.5", "params-sigma": "2.5", "regions-min_area": "0.002"},
    "threshold": {"params-algorithm": "li", "params-polarity": "bright", "regions-max_regions": "2"},
}


@pytest.mark.parametrize("method", CHANGES)
def test_what_is_copied_gives_the_same_masks_where_it_is_pasted(open_page, server, photos, tmp_path, method):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    answers = []
    page.on("response", lambda response: answers.append(response) if response.url.endswith("/segment") else None)
    page.set_input_files("#file", photos[1])
    open_method(page, method)
    page.get_by_text("Clean-up").click()
    for field, value in CHANGES[method].items():
        if page.locator(f"select#{field}").count():
            page.select_option(f"#{field}", value)
        else:
            page.fill(f"#{field}", value)
            page.keyboard.press("Tab")
        settled(page, "segment")
    line, _, numbers = answers[-1].body().partition(b"\n")
    label_map = np.frombuffer(numbers, np.uint8).reshape(240, 320)
    segments = json.loads(line)["segments"]
    seen = sorted(np.packbits(label_map == number).tobytes() for number in range(1, segments + 1))
    plain = '<BrushLabels name="mask" toName="image">'
    assert len(seen) > 0
    assert asked_of(server, photos[1], plain, "91.1") != seen

    def copied(form: str) -> str:
        page.get_by_role("radio", name=form).check()
        page.click("#copy")
        expect(page.locator("#status")).to_have_text("Copied.")
        return page.evaluate("navigator.clipboard.readText()")

    assert asked_of(server, photos[1], copied("Tag"), "91.1") == seen
    setup = {"project": "92.1", "schema": f"<View>{plain}</BrushLabels></View>", "extra_params": copied("JSON")}
    server.ask("POST", "/setup", json=setup)
    assert asked_of(server, photos[1], plain, "92.1") == seen
    (tmp_path / "config.yaml").write_text(copied("YAML"))
    with Server(tmp_path) as configured:
        assert asked_of(configured, photos[1], plain, "93.1") == seen
