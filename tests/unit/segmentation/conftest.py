import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def shared_scenes(shared_data: Path) -> list[tuple[np.ndarray, list[np.ndarray]]]:
    """Photos of BSDS, uint8 (H, W, 3), each with the partitions that several people drew, int32 (H, W)."""
    scenes = []
    for item in json.loads((shared_data / "manifest.json").read_text())["items"]:
        if item["domain"] == "bsds":
            with Image.open(shared_data / item["image"]) as opened:
                image = np.array(opened.convert("RGB"))
            scenes.append(
                (image, [np.array(Image.open(shared_data / mask)).astype(np.int32) for mask in item["masks"]])
            )
    return scenes
