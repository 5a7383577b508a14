"""Requests as Label Studio sends them, and their answers, for the tests of the wire."""

import base64
import io

import numpy as np
from PIL import Image
from skimage import measure

from prebrush.labelstudio import rle

from .conftest import CONFIG

TASK = {"id": 1, "data": {"image": "/data/upload/discs.png"}}
"""With the fixture `discs`."""


def predict(client, tasks, config=CONFIG, project="1.1700000000", **params):
    body = {"tasks": tasks, "project": project, "label_config": config, "params": {"context": None, **params}}
    return client.post("/predict", json=body)


def set_up(client, config=CONFIG, project="1.1700000000", extra=None, **more):
    body = {"project": project, "schema": config, "hostname": "", "access_token": "", "extra_params": extra, **more}
    return client.post("/setup", json=body).get_json()["model_version"]


def mask_of(region):
    return rle.decode_mask(region["value"]["rle"], region["original_height"], region["original_width"])


def click(row, col, positive=True, label="Object"):
    value = {"x": (col + 0.5) / 1.6, "y": (row + 0.5) / 1.2, "keypointlabels": [label]}
    return {"value": value, "type": "keypointlabels", "to_name": "image", "from_name": "p", "is_positive": positive}


def box(top, left, bottom, right):
    value = {"x": left / 1.6, "y": top / 1.2, "width": (right - left) / 1.6, "height": (bottom - top) / 1.2}
    value |= {"rotation": 0, "rectanglelabels": ["Object"]}
    return {"value": value, "type": "rectanglelabels", "to_name": "image", "from_name": "b"}


def ask_marked(client, *marks, attributes="", task=TASK):
    config = CONFIG.replace('name="mask"', f'name="mask" {attributes}')
    answer = predict(client, [task], config=config, context={"result": list(marks)})
    assert answer.status_code == 200, answer.data
    return answer.get_json()["results"][0]["result"]


def covered_by(region):
    """Decode what a region covers, whatever it was drawn with, by other means than prebrush's own."""
    height, width = region["original_height"], region["original_width"]
    value = region["value"]
    if "rle" in value:
        return mask_of(region)
    if "imageDataURL" in value:
        png = Image.open(io.BytesIO(base64.b64decode(value["imageDataURL"].partition(",")[2])))
        return np.asarray(png.convert("RGBA"))[..., 3] > 0
    if "vertices" in value:
        corners = [(vertex["x"], vertex["y"]) for vertex in value["vertices"]]
    elif "points" in value:
        corners = value["points"]
    else:
        left, top, right, bottom = value["x"], value["y"], value["x"] + value["width"], value["y"] + value["height"]
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    outline = np.array(corners) * [width / 100, height / 100]
    # pixels are squares: their middles count
    return measure.grid_points_in_poly((height, width), outline[:, ::-1] - 0.5)
