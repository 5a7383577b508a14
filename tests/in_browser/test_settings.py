"""Settings are taken along, and do elsewhere what they did on the page."""

import base64
import json
import re

import cv2
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
        expect(page.locator("#copy")).to_have_text("Copied")
        return page.evaluate("navigator.clipboard.readText()")

    assert copied("Tag") == (
        '<BrushLabels name="mask" toName="image" model_method="kmeans" model_n_clusters="6" model_instances="merge">'
    )
    choice = {"method": "kmeans", "params": {"n_clusters": 6}, "regions": {"instances": "merge"}}
    assert json.loads(copied("JSON")) == choice
    assert yaml.safe_load(copied("YAML")) == {"default": choice}
    expect(page.locator("#copy")).to_have_text("Copy")


def test_what_nobody_moved_is_shown_as_it_suits_the_photo_and_not_copied(open_page, photos, tmp_path):
    lines = np.full((240, 320, 3), 150, np.uint8) + np.random.default_rng(5).integers(0, 12, (240, 320, 1), np.uint8)
    for start, end in (((10, 20), (300, 180)), ((40, 220), (280, 30)), ((150, 5), (170, 235))):
        cv2.line(lines, start, end, (60, 60, 60), 3, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "cracks.png"), lines)
    page = open_page()
    page.set_input_files("#file", [photos[1], tmp_path / "cracks.png"])
    open_method(page, "auto")
    settled(page, "3 segments", " by threshold")
    page.get_by_text("Clean-up").click()
    expect(page.locator("#regions-smoothing")).to_have_value("1")
    page.click("#later")
    expect(page.locator("#why")).to_contain_text("Here: ridge, because")
    settled(page, " by ridge")
    expect(page.locator("#regions-smoothing")).to_have_value("0")
    expect(page.locator("#regions-fill_holes")).to_have_value("0")
    short = '<BrushLabels name="mask" toName="image" model_method="auto">'
    assert page.input_value("#setting") == short
    page.fill("#regions-fill_holes", "0.01")
    page.keyboard.press("Tab")
    assert page.input_value("#setting") == short.replace(">", ' model_fill_holes="0.01">')
    page.fill("#regions-fill_holes", "0")
    page.keyboard.press("Tab")
    assert page.input_value("#setting") == short
    # what a method is asked for decides how many are kept
    page.select_option("#method", "slic")
    expect(page.locator("#regions-max_regions")).to_have_value("30")
    page.fill("#params-n_segments", "120")
    page.keyboard.press("Tab")
    expect(page.locator("#regions-max_regions")).to_have_value("240")
    assert "max_regions" not in page.input_value("#setting")


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
        '<View><Image name="photo" value="$image"/><PolygonLabels name="outline" toName="photo" >'
        '<Label value="Disc"/></PolygonLabels></View>'
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
    # the tag to paste is the project's own
    opening = '<PolygonLabels name="outline" toName="photo" model_method="threshold" model_label_rule="size">'
    assert page.input_value("#setting") == "\n".join([opening, '  <Label value="Disc"/>', "</PolygonLabels>"])
    page.keyboard.press("ArrowRight")
    settled(page, "3 segments")
    with page.expect_request("**/playground/save") as sent:
        page.click("#save-setting")
    # what nobody moved goes on suiting the method and the image
    sections = {"params": {}, "regions": {}, "labels": {"rule": "size"}, "prompts": {}}
    assert json.loads(sent.value.post_data)["choice"] == {"method": "threshold", **sections}
    expect(page.locator("#status")).to_contain_text("new predictions are prebrush-threshold-")
    saved = re.search(r"prebrush-threshold-[0-9a-f]{8}", page.inner_text("#status"))[0]
    assert server.ask("POST", "/setup", json=setup).json()["model_version"] == saved != before
    page.click("#unsave")
    expect(page.locator("#status")).to_contain_text("Taken back")
    assert server.ask("POST", "/setup", json=setup).json()["model_version"] == before
    # what the connection says would hold again below a tag that is silent
    page.click("#reset")
    settled(page, "3 segments")
    assert page.input_value("#setting").startswith(opening.replace('"size"', '"class"'))


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
    "auto": {"regions-max_regions": "2"},
    "slic": {"params-n_segments": "60"},
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
