"""How many clicks a simulated person needs with `prompt`, beside plain methods with the same clicks."""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from bench.harness import Row, WrongResultError
from bench.images import photograph
from prebrush.datatypes import LabelMap, Mask, Prompt, RGBImage
from prebrush.evaluation.clicks import MOST_CLICKS, click_ious
from prebrush.segmentation.kernels.flooding import flood
from prebrush.segmentation.methods.prompt import find_object, prepare
from prebrush.segmentation.scaling import shrink, shrink_prompt

SHARED = Path(os.environ.get("PREBRUSH_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
BARS = {0.85: 4.5, 0.90: 5.5}
"""Mean clicks to each IoU on the objects, at most."""
WARM_MS, COLD_MS = 50, 500
MARK_RADIUS, SEED_RADIUS = 2, 4
"""What a click stands for in GrabCut and in the watershed: with these they need the fewest clicks."""
FRAME = 2
PROBABLE_SHARE = 0.25
"""GrabCut expects the object within this share of the diagonal around a positive click."""

Answer = Callable[[Prompt], Mask]


class Session(NamedTuple):
    """One simulated person with one object."""

    ious: list[float]
    times_ms: list[float]

    def clicks_to(self, good_iou: float) -> int:
        """Count the clicks, `MOST_CLICKS` where it never gets so good."""
        return next((place + 1 for place, iou in enumerate(self.ious) if iou >= good_iou), MOST_CLICKS)

    def iou_after(self, clicks: int) -> float:
        """Give the IoU after so many clicks, or when it was good enough."""
        return self.ious[min(clicks, len(self.ious)) - 1]


def rows() -> Iterator[Row]:
    for domain, bars in (("objects", BARS), ("wbc", {})):
        items = read_items(domain)
        if items:
            methods = {"prompt": start_prompt, "watershed": start_watershed, "GrabCut": start_grabcut}
            yield Row(
                name=f"clicks on {domain}, {', '.join(methods)}",
                input=f"{len(items)} shared images; time of all clicks of one image with prompt",
                ours=partial(hold_session, items[0][0], items[0][1], start_prompt),
                check=partial(compare, items, methods, bars),
                rounds=3,
            )
    for megapixels in (1, 4):
        photo = photograph("astronaut", megapixels)
        ready = prepare(photo)
        prompt = Prompt(points=((photo.shape[0] // 4, photo.shape[1] // 5, True),))
        yield Row(
            name="warm click",
            input=f"{megapixels} MP (astronaut, mirrored)",
            ours=partial(find_object, ready, prompt),
            check=is_honoured(prompt),
            limit_ms=WARM_MS,
        )
        yield Row(
            name="cold click, without decoding",
            input=f"{megapixels} MP (astronaut, mirrored)",
            ours=partial(answer_cold, photo, prompt),
            check=is_honoured(prompt),
            limit_ms=COLD_MS,
        )


def read_items(domain: str) -> list[tuple[RGBImage, LabelMap]]:
    """Load images and objects; none where the shared images are not there."""
    if not (SHARED / "manifest.json").is_file():
        return []
    items = []
    for item in json.loads((SHARED / "manifest.json").read_text(encoding="utf-8"))["items"]:
        if item["domain"] == domain:
            with Image.open(SHARED / item["image"]) as opened:
                image = np.asarray(opened.convert("RGB"))
            drawn = np.asarray(Image.open(SHARED / item["masks"][0])).astype(np.int32)
            undecided = (drawn == 128) & (domain == "objects")
            items.append((image, np.where(undecided, -1, drawn > 0).astype(np.int32)))
    return items


def hold_session(image: RGBImage, truth: LabelMap, start: Callable[[RGBImage], Answer]) -> Session:
    """Click until the IoU is good, up to the last of the bars."""
    answer_to = start(image)
    times: list[float] = []

    def timed(prompt: Prompt) -> Mask:
        begun = time.perf_counter_ns()
        found = answer_to(prompt)
        times.append((time.perf_counter_ns() - begun) / 1e6)
        return found

    return Session(list(click_ious(truth, timed, max(BARS))), times)


def compare(
    items: list[tuple[RGBImage, LabelMap]],
    methods: dict[str, Callable[[RGBImage], Answer]],
    bars: dict[float, float],
    ours: object,
    reference: object,
) -> str:
    """Hold sessions with all methods; the first is ours."""
    del ours, reference
    texts = []
    for name, start in methods.items():
        sessions = [hold_session(image, truth, start) for image, truth in items]
        means = {good: statistics.mean(each.clicks_to(good) for each in sessions) for good in BARS}
        after = [statistics.mean(each.iou_after(clicks) for each in sessions) for clicks in (1, 3)]
        spent = statistics.median(ms for each in sessions for ms in each.times_ms)
        texts.append(
            f"{name}: {' / '.join(f'{mean:.1f}' for mean in means.values())} clicks to IoU .85 / .90, "
            f"IoU {after[0]:.2f} / {after[1]:.2f} after 1 / 3, {spent:.0f} ms a click"
        )
        if name == next(iter(methods)):
            missed = [f"{means[good]:.1f} clicks to {good}" for good, most in bars.items() if means[good] > most]
            if missed:
                raise WrongResultError(f"{', '.join(missed)}; at most {bars}")
    return "; ".join(texts)


def start_prompt(image: RGBImage) -> Answer:
    return partial(find_object, prepare(image))


def answer_cold(image: RGBImage, prompt: Prompt) -> Mask:
    return find_object(prepare(image), prompt)


def is_honoured(prompt: Prompt) -> Callable[[Mask, object], str]:
    def check(mask: Mask, reference: object) -> str:
        del reference
        if any(mask[row, col] != positive for row, col, positive in prompt.points):
            raise WrongResultError("a click is not honoured")
        return f"{mask.mean():.0%} of the image"

    return check


def start_watershed(image: RGBImage) -> Answer:
    """Flood the gradient of half the image from the clicks and, as background, its frame."""
    height, width = image.shape[:2]
    half = ((height + 1) // 2, (width + 1) // 2)
    lab = cv2.cvtColor(shrink(image, *half), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = cv2.GaussianBlur(lab, (0, 0), 1.0)
    squared = sum((cv2.Sobel(lab, cv2.CV_32F, *way, scale=1 / 8) ** 2).sum(axis=2) for way in ((1, 0), (0, 1)))
    relief = np.minimum(np.sqrt(squared) * 16, 65535).astype(np.uint16)
    everywhere = np.ones(half, np.bool_)

    def find(prompt: Prompt) -> Mask:
        markers = np.zeros(half, np.int32)
        for side in (markers[0], markers[-1], markers[:, 0], markers[:, -1]):
            side[:] = FRAME
        for row, col, positive in shrink_prompt(prompt, (height, width), half).points:
            cv2.circle(markers, (col, row), SEED_RADIUS, 1 if positive else FRAME, -1)
        found = flood(relief, markers, everywhere) == 1
        return np.asarray(cv2.resize(found.astype(np.uint8) * 255, (width, height)) > 127)

    return find


def start_grabcut(image: RGBImage) -> Answer:
    """Run OpenCV's solver on half the image, five rounds, from the clicks and the frame as background."""
    height, width = image.shape[:2]
    half = ((height + 1) // 2, (width + 1) // 2)
    small = shrink(image, *half)
    reach = round(PROBABLE_SHARE * float(np.hypot(*half)))

    def find(prompt: Prompt) -> Mask:
        points = shrink_prompt(prompt, (height, width), half).points
        trimap = np.full(half, cv2.GC_PR_BGD, np.uint8)
        for row, col, positive in points:
            if positive:
                cv2.circle(trimap, (col, row), reach, cv2.GC_PR_FGD, -1)
        for side in (trimap[0], trimap[-1], trimap[:, 0], trimap[:, -1]):
            side[:] = cv2.GC_BGD
        for row, col, positive in points:
            cv2.circle(trimap, (col, row), MARK_RADIUS, cv2.GC_FGD if positive else cv2.GC_BGD, -1)
        cv2.setRNGSeed(0)
        # the rectangle is not read where a mask is given
        cv2.grabCut(small, trimap, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_MASK)
        found = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
        return np.asarray(cv2.resize(found.astype(np.uint8) * 255, (width, height)) > 127)

    return find
