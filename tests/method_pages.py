"""The pages docs/methods/NAME.md: what is in the code is written from it, between markers, around words of ours."""

import inspect
import re
from pathlib import Path
from typing import Any

from documents import ROOT, fill_markers, knob_rows, table
from prebrush.segmentation import METHODS
from prebrush.segmentation.method import Method
from prebrush.segmentation.scaling import WORKING_PIXELS

FOLDER = ROOT / "docs" / "methods"
INDEX = FOLDER / "README.md"
WORKING_SIZE = f"""
The server and the commands work on larger images at {WORKING_PIXELS / 1e6:g} megapixel, and bring the masks back to
full size along the image's edges. `prebrush.segment` in Python works at full size unless `working_pixels` is given;
what no longer fits the processor's caches then costs more than its share
([measured up to 50 megapixels](../../bench/results/growth.svg)).
""".strip()
MARKS = {"points": "clicks", "boxes": "boxes", "scribble": "scribbles"}

NEW_PAGE = """\
# `{name}`

<!-- head -->
<!-- /head -->

## When to choose it

<!-- body -->
<!-- /body -->
"""


def page_of(name: str) -> Path:
    return FOLDER / f"{name}.md"


def fill_page(name: str, text: str) -> str:
    return fill_markers(text, {"head": head_of(METHODS[name]), "body": body_of(METHODS[name])}, f"{name}.md")


def fill_index(text: str) -> str:
    rows = [(f"[`{name}`]({name}.md)", method.summary, marks_of(method) or "") for name, method in METHODS.items()]
    pictures = [(f"[`{name}`]({name}.md)", picture_of(method)) for name, method in METHODS.items()]
    parts = {
        "methods": table(("method", "what it does", "reads"), rows),
        "pictures": table(("method", "what it makes of the three photos"), pictures),
    }
    return fill_markers(text, parts, "docs/methods/README.md")


def head_of(method: Method[Any]) -> str:
    return f"{method.summary}.\n\n{picture_of(method)}"


def picture_of(method: Method[Any]) -> str:
    return f"![What {method.name} makes of three photos](../images/methods/{method.name}.jpg)"


def body_of(method: Method[Any]) -> str:
    """What the docstring of the method's function says to those who use it, its knobs, and what it reads and names."""
    sections = re.split(r"^(\w+)\n-+\n", inspect.cleandoc(method.function.__doc__ or ""), flags=re.MULTILINE)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    about = sections[0].strip()
    limits, _, sources = re.split(r"\n\n(Sources?:)", told["Notes"].strip(), maxsplit=1) + ["", ""] * (
        "Source" not in told["Notes"]
    )
    facts = [
        f"Reads {marks_of(method)}." if method.prompts else "Reads no clicks or boxes.",
        f"Its segments are called `{method.class_name.replace('{}', '0')}`"
        + (", and on with each." if "{}" in method.class_name else ".")
        if method.class_name
        else "Its segments have no names: labels go by order, size, brightness or colour.",
    ]
    parts = ["## How it works", about, " ".join(facts)]
    if method.knobs:
        parts += ["## Knobs", table(("knob", "values", "default", "what it does"), knob_rows(method.params_class))]
        parts += [as_tag(method)]
    parts += ["## Cost and limits", limits.strip(), WORKING_SIZE]
    if sources:
        parts += ["## Sources", sources.strip()]
    return as_markdown("\n\n".join(parts))


def marks_of(method: Method[Any]) -> str:
    return ", ".join(MARKS[kind] for kind in method.prompts)


def as_tag(method: Method[Any]) -> str:
    knob = method.knobs[0]
    return (
        f'On a tag: `model_method="{method.name}" model_{knob.name}="{knob.default}"`. In extra parameters: '
        f'`{{"method": "{method.name}", "params": {{"{knob.name}": {as_json(knob.default)}}}}}`.'
    )


def as_json(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def as_markdown(text: str) -> str:
    """Turn a docstring's marks into Markdown's."""
    text = text.replace("``", "`")
    return re.sub(r"\bdoi:(10\.\S+?)(?=[.;,)]?(?:\s|$))", r"[doi:\1](https://doi.org/\1)", text)


def write_pages() -> None:
    """Bring every page up to date; a method that has none gets one, with its reason to be still to be written."""
    for name in METHODS:
        page = page_of(name)
        page.write_text(fill_page(name, page.read_text() if page.exists() else NEW_PAGE.format(name=name)))
    INDEX.write_text(fill_index(INDEX.read_text()))


if __name__ == "__main__":
    write_pages()
