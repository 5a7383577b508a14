import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prebrush.datatypes import Label
from prebrush.errors import InvalidLabelConfig
from prebrush.labelstudio.config import MAX_CONTROLS, MAX_LABELS, LabelConfig, parse_label_config
from prebrush.labelstudio.tags import MAX_CHARACTERS, REGION_TAGS

RECORDED = Path(__file__).parents[2] / "recorded"
IMAGE = '<Image name="image" value="$image"/>'
LABELS = '<Label value="Cat"/><Label value="Dog"/>'


def parse(inner: str) -> LabelConfig:
    return parse_label_config(f"<View>{inner}</View>")


@pytest.mark.parametrize("tag", REGION_TAGS)
def test_every_region_tag_is_a_control(tag: str) -> None:
    labels = LABELS if tag.endswith("Labels") else ""
    (control,) = parse(f'{IMAGE}<{tag} name="t" toName="image">{labels}</{tag}>').controls
    assert (control.tag, control.from_name, control.to_name, control.address) == (tag, "t", "image", "$image")
    assert [label.name for label in control.labels] == (["Cat", "Dog"] if labels else [])


def test_tags_and_attributes_are_compared_without_case() -> None:
    (control,) = parse(f'{IMAGE}<BitMaskLabels name="t" toname="image">{LABELS}</BitMaskLabels>').controls
    assert control.tag == "BitmaskLabels"


def test_label_is_named_by_alias_wherever_it_stands() -> None:
    inner = (
        '<View><Label value="Cat" alias="c" predicted_values="foreground, cluster-1"/></View>'
        '<Label value="Dog"/><Label value="Dog" alias=""/><Label/>'
    )
    (control,) = parse(f'{IMAGE}<BrushLabels name="t" toName="image">{inner}</BrushLabels>').controls
    assert control.labels == (Label("c", ("foreground", "cluster-1"), "Cat"), Label("Dog"))


def test_model_attributes_become_params() -> None:
    (control,) = parse(
        f'{IMAGE}<Brush name="t" toName="image" model_method="kmeans" model_n_clusters="4" model_skip="false" x="1"/>'
    ).controls
    assert control.params == {"method": "kmeans", "n_clusters": "4"}


def test_a_separate_labels_tag_names_the_regions_of_a_tag_without_labels() -> None:
    inner = f'{IMAGE}<Brush name="b" toName="image"/><Labels name="l" toName="image" value="$more">{LABELS}</Labels>'
    (control,) = parse(inner).controls
    assert (control.labels_from, control.labels_key) == ("l", "more")
    assert [label.name for label in control.labels] == ["Cat", "Dog"]


def test_a_labels_tag_of_another_image_does_not() -> None:
    inner = (
        f'{IMAGE}<Image name="other" value="$other"/><Brush name="b" toName="image"/>'
        f'<Labels name="l" toName="other">{LABELS}</Labels>'
    )
    (control,) = parse(inner).controls
    assert (control.labels_from, control.labels) == ("", ())


def test_several_images() -> None:
    inner = (
        '<Image name="a" value="$left"/><Image name="b" valueList="$pages"/>'
        '<Brush name="one" toName="a"/><Brush name="both" toName="a, b"/>'
    )
    found = [(c.from_name, c.to_name, c.data_key, c.is_list) for c in parse(inner).controls]
    assert found == [("one", "a", "left", False), ("both", "a", "left", False), ("both", "b", "pages", True)]


def test_an_image_named_twice_is_filled_once() -> None:
    (control,) = parse(f'{IMAGE}<Brush name="b" toName="image, image,image"/>').controls
    assert control.to_name == "image"


def test_of_two_tags_with_one_name_only_the_first_is_filled() -> None:
    config = parse(f'{IMAGE}<Brush name="b" toName="image"/><Polygon name="b" toName="image"/>')
    assert [control.tag for control in config.controls] == ["Brush"]
    assert "an earlier tag has that name" in config.problems[0]


@pytest.mark.parametrize(
    "tools", ['<Brush name="b{}" toName="image"/>', '<Brush name="b{}" toName="image" smart="1"/>']
)
def test_the_number_of_tags_to_fill_is_bounded(tools: str) -> None:
    most = "".join(tools.format(number) for number in range(MAX_CONTROLS))
    assert len(parse(IMAGE + most).controls) == MAX_CONTROLS
    with pytest.raises(InvalidLabelConfig, match=f"at most {MAX_CONTROLS}"):
        parse(IMAGE + most + tools.format("more"))


def test_images_count_towards_that_number() -> None:
    names = [f"i{number}" for number in range(MAX_CONTROLS // 2 + 1)]
    images = "".join(f'<Image name="{name}" value="${name}"/>' for name in names)
    brush = '<Brush name="{}" toName="' + ",".join(names) + '"/>'
    with pytest.raises(InvalidLabelConfig, match=f"at most {MAX_CONTROLS}"):
        parse(images + brush.format("one") + brush.format("two"))


def test_labels_are_read_once_however_many_tags_share_them() -> None:
    names = [f"i{number}" for number in range(50)]
    images = "".join(f'<Image name="{name}" value="${name}"/>' for name in names)
    to = f'toName="{",".join(names)}"'
    tags = f'<Brush name="b" {to}/><Labels name="l" {to}>{LABELS}</Labels>'
    tags += f'<BrushLabels name="c" {to}>{LABELS}</BrushLabels>'
    controls = parse(images + tags).controls
    assert [control.labels for control in controls] == [(Label("Cat"), Label("Dog"))] * 100
    assert len({id(control.labels) for control in controls}) == 2


def test_the_number_of_labels_is_bounded() -> None:
    names = [f"i{number}" for number in range(MAX_CONTROLS)]
    images = "".join(f'<Image name="{name}" value="${name}"/>' for name in names)
    labels = "".join(f'<Label value="{number}"/>' for number in range(MAX_LABELS // MAX_CONTROLS))
    tag = f'{images}<BrushLabels name="b" toName="{",".join(names)}">{labels}{{}}</BrushLabels>'
    assert len(parse(tag.format("")).controls) == MAX_CONTROLS
    with pytest.raises(InvalidLabelConfig, match=f"at most {MAX_LABELS}"):
        parse(tag.format('<Label value="more"/>'))


def test_problems_stay_short_however_many_images_there_are() -> None:
    images = "".join(f'<Image name="i{number}" value="$x"/>' for number in range(1000))
    (problem,) = parse(f'{images}<Brush name="b" toName="none"/>').problems
    assert "the images are: i0, i1, " in problem
    assert len(problem) < 500


def test_without_to_name_the_only_image_is_meant_as_in_the_editor() -> None:
    assert parse(f'{IMAGE}<Brush name="b"/>').controls[0].to_name == "image"


def test_dynamic_labels_are_enough() -> None:
    (control,) = parse(f'{IMAGE}<BrushLabels name="b" toName="image" value="$labels"/>').controls
    assert control.labels_key == "labels"


def test_limits_of_a_vector_tag() -> None:
    inner = f'{IMAGE}<Vector name="v" toName="image" closable="true" maxPoints="12"/>'
    (control,) = parse(inner).controls
    assert (control.closable, control.max_points) == (True, 12)


def test_the_recorded_config_fills_masks_alone(recorded) -> None:
    config = parse_label_config(recorded("predict_batch")["request"]["body"]["label_config"])
    assert [control.from_name for control in config.controls] == ["mask"]
    assert config.prompt_tools == ("point", "box")


def test_a_smart_rectangle_is_filled_when_the_config_says_so_or_has_nothing_else() -> None:
    smart = '<RectangleLabels name="box" toName="image" smart="true"{}>' + LABELS + "</RectangleLabels>"
    brush = '<Brush name="b" toName="image"/>'
    assert [c.from_name for c in parse(IMAGE + brush + smart.format("")).controls] == ["b"]
    assert [c.from_name for c in parse(IMAGE + brush + smart.format(' model_skip="false"')).controls] == ["b", "box"]
    assert [c.from_name for c in parse(IMAGE + smart.format("")).controls] == ["box"]
    elsewhere = '<Image name="other" value="$o"/><Brush name="b" toName="other"/>'
    assert [c.from_name for c in parse(IMAGE + elsewhere + smart.format("")).controls] == ["b", "box"]


UNSERVED = {
    "": "is empty",
    "<View></View>": "no <Image> tag",
    f"<View>{IMAGE}</View>": "none of its tags takes regions",
    f'<View>{IMAGE}<Choices name="c" toName="image"/></View>': "none of its tags takes regions",
    f'<View>{IMAGE}<Brush name="b" toName="img"/></View>': 'toName="img", but no tag has that name',
    '<View><Video name="v" value="$v"/><Brush name="b" toName="v"/></View>': '<Brush name="b"> belongs to <Video',
    f'<View>{IMAGE}<BrushLabels name="b" toName="image"/></View>': '<BrushLabels name="b"> has no label',
    f'<View>{IMAGE}<Brush name="b" toName="image" model_skip="true"/></View>': 'model_skip="true" leaves out b',
    f'<View>{IMAGE}<Brush toName="image"/></View>': "<Brush> has no name",
    '<View><Image name="image"/><Brush name="b" toName="image"/></View>': 'add value="$image"',
    f'<View>{IMAGE}<Vector name="v" toName="image" maxPoints="1"/></View>': 'maxPoints="1"',
    f'<View>{IMAGE}<Image name="i2" value="$x"/><Brush name="b"/></View>': "has no toName; the images are: image, i2",
    f'<View>{IMAGE}<Repeater on="$l"><Brush name="b{{{{i}}}}" toName="image"/></Repeater></View>': "valueList",
}


@pytest.mark.parametrize(("xml", "cause"), UNSERVED.items())
def test_a_config_that_cannot_be_served_says_what_to_add(xml: str, cause: str) -> None:
    config = parse_label_config(xml)
    assert config.controls == ()
    assert cause in config.why_unserved()
    assert '<Label value="Object"/></BrushLabels>' in config.why_unserved()


def test_the_advice_works() -> None:
    for image in ("", IMAGE.replace('"image"', '"photo"')):
        advice = parse_label_config(f"<View>{image}</View>").why_unserved()
        example = advice.partition("for example: ")[2]
        config = parse_label_config(f"<View>{image}{example}</View>")
        assert config.controls
        assert config.why_unserved() == ""


def test_what_is_wrong_with_one_tag_does_not_cost_the_others() -> None:
    config = parse(f'{IMAGE}<Brush name="good" toName="image"/><Brush name="bad" toName="nothing"/>')
    assert [control.from_name for control in config.controls] == ["good"]
    assert len(config.problems) == 1


def test_broken_xml_names_the_line() -> None:
    with pytest.raises(InvalidLabelConfig, match="mismatched tag at line 3"):
        parse_label_config("<View>\n<Image>\n</View>")


BOMB = '<!DOCTYPE v [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><View>&b;</View>'
FILE = '<!DOCTYPE v [<!ENTITY x SYSTEM "file:///etc/passwd">]><View>&x;</View>'


@pytest.mark.parametrize("xml", [BOMB, FILE, "<!DOCTYPE View><View/>"])
def test_a_document_type_is_refused(xml: str) -> None:
    with pytest.raises(InvalidLabelConfig, match="DOCTYPE"):
        parse_label_config(xml)


def test_size_and_depth_are_bounded() -> None:
    with pytest.raises(InvalidLabelConfig, match="characters"):
        parse_label_config("<View>" + " " * MAX_CHARACTERS + "</View>")
    deep = MAX_CHARACTERS // 7
    with pytest.raises(InvalidLabelConfig, match="deep"):
        parse_label_config("<a>" * deep + "</a>" * deep)


@pytest.mark.parametrize("xml", ["\ud800", "<a\x00/>", '<?xml version="1.0" encoding="nope"?><View/>', "Label studio"])
def test_text_that_is_no_xml(xml: str) -> None:
    try:
        config = parse_label_config(xml)
    except InvalidLabelConfig:
        return
    assert config.why_unserved()


ATTRIBUTE = st.tuples(
    st.sampled_from(["name", "toName", "value", "valueList", "smart", "alias", "model_skip", "maxPoints", "model_x"]),
    st.sampled_from(["image", "a", "$a", "true", "a,b", "", "9999999999999999999", "²", "{{idx}}"]),
)
TAG = st.sampled_from([*REGION_TAGS, "Image", "Labels", "Label", "View", "Repeater", "KeyPointLabels", "Video"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    tag = draw(TAG)
    attributes = "".join(f' {key}="{value}"' for key, value in dict(draw(st.lists(ATTRIBUTE, max_size=5))).items())
    inner = "".join(draw(st.lists(elements(depth - 1), max_size=4))) if depth else ""
    return f"<{tag}{attributes}>{inner}</{tag}>"


@settings(max_examples=150, deadline=None)
@given(elements())
def test_any_tree_of_tags_is_served_or_explained(xml: str) -> None:
    config = parse_label_config(xml)
    assert bool(config.controls) != bool(config.why_unserved())
    assert all(control.from_name and control.to_name and control.address for control in config.controls)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from("<>/&;!\"'= Viewab[]\x00\ud800\n"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidLabelConfig):
        assert isinstance(parse_label_config(text), LabelConfig)


def test_every_recorded_config_is_read() -> None:
    for path in RECORDED.glob("*.json"):
        body = json.loads(path.read_text())["request"].get("body") or {}
        xml = body.get("label_config") or body.get("schema")
        if xml is not None:
            parse_label_config(xml)
