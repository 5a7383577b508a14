"""Labeling config to `Control` values. What a task's data adds to them is in ``task_data.py``."""

from dataclasses import dataclass

from prebrush.datatypes import Control, Label
from prebrush.errors import InvalidLabelConfig
from prebrush.labelstudio.tags import CANONICAL, REGION_TAGS, Tag, read_tags
from prebrush.labelstudio.task_data import first_key

MAX_CONTROLS = 200
"""Most control tags that get regions, each counted once for each of its images; hand-made configs stay under 20."""

MAX_LABELS = 100_000
"""Most labels of all these together."""

_PROMPT_ONLY = {"keypoint", "keypointlabels", "ellipse", "ellipselabels"}
_LABEL_EXAMPLE = '<BrushLabels name="mask" toName="{image}"><Label value="Object"/></BrushLabels>'
_LISTED_PROBLEMS = 3
_LISTED_IMAGES = 10


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """What a labeling config asks of prebrush.

    Attributes
    ----------
    controls : tuple of Control
        The control tags that get regions, in document order; one for each image tag where ``toName`` lists several.
    prompt_tools : tuple of str
        Names of the tags that a person marks with, and that get no regions of their own: smart key points and
        ellipses, and every tag with ``smart="true"`` beside one on the same image without it. A smart rectangle is
        how a person asks for one mask; filling it with a rectangle per segment would bury the image. Whoever wants
        these rectangles says ``model_skip="false"`` on the tag.
    skipped : tuple of str
        Names of the tags left alone because of ``model_skip="true"``.
    problems : tuple of str
        Why further tags get no regions, one sentence each.
    """

    controls: tuple[Control, ...] = ()
    prompt_tools: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    _unserved: str = ""

    def why_unserved(self) -> str:
        """Say why no tag gets regions and what to add; empty if one does."""
        return self._unserved


def parse_label_config(xml: str) -> LabelConfig:
    """Read a labeling config.

    A config that gives prebrush nothing to do is no error: `LabelConfig.why_unserved` says what is missing.

    Parameters
    ----------
    xml : str
        As Label Studio sends it in ``label_config`` or ``schema``; may be empty.

    Raises
    ------
    InvalidLabelConfig
        It is not XML (the message names the line), has a document type definition, is too long or too deep, or has
        more control tags than `MAX_CONTROLS` or more labels than `MAX_LABELS`.

    Examples
    --------
    >>> config = parse_label_config(
    ...     '<View><Image name="image" value="$image"/>'
    ...     '<BrushLabels name="mask" toName="image"><Label value="Cat"/></BrushLabels></View>'
    ... )
    >>> [(control.tag, control.from_name, control.to_name) for control in config.controls]
    [('BrushLabels', 'mask', 'image')]
    """
    if not xml.strip():
        return LabelConfig(_unserved=_advise("it is empty", ""))
    return _Reader(tuple(read_tags(xml))).read()


class _Reader:
    """Turns the tags of one config into controls; lives for one call."""

    def __init__(self, tags: tuple[Tag, ...]) -> None:
        self.tags = tags
        self.by_name = {tag.name: tag for tag in reversed(tags) if tag.name}
        self.images = [tag for tag in tags if tag.kind == "image" and tag.name]
        self.labels_tags: dict[str, Tag] = {}
        for tag in tags:
            if tag.kind == "labels" and tag.name:
                for image in self._images_of(tag):
                    self.labels_tags.setdefault(image.name, tag)
        self.labels: dict[Tag, tuple[Label, ...]] = {}
        self.problems: list[str] = []
        self.n_controls = 0
        self.n_labels = 0

    def read(self) -> LabelConfig:
        skipped, found = [], []
        for tag in self.tags:
            if tag.kind not in CANONICAL:
                continue
            if tag.is_on("model_skip"):
                skipped.append(tag.name)
            else:
                found += [(tag, control) for control in self._build_controls(tag)]
        filled = {control.to_name for tag, control in found if not tag.is_smart}
        controls = []
        prompt_tools = [tag.name for tag in self.tags if tag.kind in _PROMPT_ONLY and tag.is_smart]
        for tag, control in found:
            if tag.is_smart and "model_skip" not in tag.attributes and control.to_name in filled:
                prompt_tools.append(tag.name)
            else:
                controls.append(control)
        return LabelConfig(
            controls=tuple(controls),
            prompt_tools=tuple(dict.fromkeys(prompt_tools)),
            skipped=tuple(skipped),
            problems=tuple(self.problems),
            _unserved="" if controls else self._explain(skipped),
        )

    def _build_controls(self, tag: Tag) -> list[Control]:
        """Make a control for each image the tag belongs to; note down what is wrong where there is none."""
        problem = self._find_problem(tag)
        if problem:
            self.problems.append(problem)
            return []
        images = self._images_of(tag)
        self.n_controls += len(images)
        if self.n_controls > MAX_CONTROLS:
            raise InvalidLabelConfig(
                f"the labeling config has more tags to fill than are taken: {tag} is beyond the limit of at most "
                f"{MAX_CONTROLS}, each counted once for each of its images"
            )
        controls = [self._build_control(tag, image) for image in images]
        self.n_labels += sum(len(control.labels) for control in controls)
        if self.n_labels > MAX_LABELS:
            raise InvalidLabelConfig(
                f"the labeling config has more labels than are taken: {tag} is beyond the limit of at most "
                f"{MAX_LABELS}, each counted once for each tag and image it is for"
            )
        return controls

    def _build_control(self, tag: Tag, image: Tag) -> Control:
        labels_tag = tag if tag.has_own_labels else self.labels_tags.get(image.name)
        address = image.address
        return Control(
            from_name=tag.name,
            to_name=image.name,
            tag=CANONICAL[tag.kind],
            data_key=first_key(address),
            is_list=bool(image.attributes.get("valuelist")),
            labels=self._labels_of(labels_tag) if labels_tag else (),
            labels_key=labels_tag.labels_key if labels_tag else "",
            labels_from=labels_tag.name if labels_tag and labels_tag is not tag else "",
            params=tag.params,
            address=address,
            closable=tag.is_closable,
            max_points=tag.max_points,
        )

    def _labels_of(self, tag: Tag) -> tuple[Label, ...]:
        """Read the labels of a tag, once for all the controls that share them."""
        if tag not in self.labels:
            self.labels[tag] = tag.read_labels()
        return self.labels[tag]

    def _find_problem(self, tag: Tag) -> str:
        """Say why a tag cannot get regions; empty if it can."""
        limit = tag.max_points
        images = self._images_of(tag)
        mute = [image for image in images if not image.address]
        problem = ""
        if tag.repeated:
            problem = f'{tag} is inside <Repeater>; for tasks of several images use <Image valueList="$images">'
        elif not tag.name:
            problem = f"{tag} has no name"
        elif self.by_name[tag.name] is not tag:
            problem = f"{tag} gets no regions, because an earlier tag has that name"
        elif tag.has_own_labels and not self._labels_of(tag) and not tag.labels_key:
            problem = f'{tag} has no label; put <Label value="Object"/> inside'
        elif limit is not None and limit < 3:
            problem = f'{tag} has maxPoints="{limit}", too few to go around a segment'
        elif not images:
            problem = self._why_no_image(tag)
        elif mute:
            problem = f'{mute[0]} does not say where a task keeps its image; add value="$image"'
        return problem

    def _images_of(self, tag: Tag) -> list[Tag]:
        """Find the image tags a control belongs to; without a ``toName`` it is the only one, as in the editor."""
        names = tag.to_names
        if not names:
            return self.images if len(self.images) == 1 else []
        named = (self.by_name.get(name) for name in names)
        return [other for other in named if other is not None and other.kind == "image"]

    def _why_no_image(self, tag: Tag) -> str:
        names = tag.to_names
        have = ", ".join(image.name for image in self.images[:_LISTED_IMAGES])
        have += " ..." if len(self.images) > _LISTED_IMAGES else ""
        for name in names:
            other = self.by_name.get(name)
            if other is not None:
                return f"{tag} belongs to {other}, and only images are segmented"
        if not names:
            return f"{tag} has no toName" + (f"; the images are: {have}" if have else "")
        hint = f'the images are: {have}; write toName="{self.images[0].name}"' if have else "there is no <Image> tag"
        return f'{tag} has toName="{",".join(names)}", but no tag has that name ({hint})'

    def _explain(self, skipped: list[str]) -> str:
        image = self.images[0].name if self.images else ""
        causes = self.problems[:_LISTED_PROBLEMS]
        if skipped:
            causes = [*causes, f'model_skip="true" leaves out {", ".join(skipped)}; remove it from one of them']
        if causes:
            return _advise("; ".join(causes), image)
        if not image:
            return _advise("it has no <Image> tag with a name", "")
        return _advise(f"none of its tags takes regions on an image (those are {', '.join(REGION_TAGS)})", image)


def _advise(cause: str, image: str) -> str:
    """Add what a config that works looks like, fitted to the image tag that is there."""
    example = _LABEL_EXAMPLE.format(image=image or "image")
    if not image:
        example = '<Image name="image" value="$image"/>' + example
    return f"the labeling config has no tag to fill: {cause}. What works, for example: {example}"
