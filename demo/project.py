"""A Label Studio with a project of sample images whose tasks show prebrush's masks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from demo.prebrush_server import run_prebrush
from demo.processes import Server, wait_for
from demo.studio import Studio, run_studio

TITLE = "prebrush demo"
SMART_TOOLS = """
<View>
  <Image name="image" value="$image" zoom="true"/>
  <BrushLabels name="mask" toName="image" {attributes}><Label value="{label}" background="#e6194b"/></BrushLabels>
  <KeyPointLabels name="point" toName="image" smart="true">
    <Label value="{label}" background="#2ecc71" smart="true"/>
  </KeyPointLabels>
  <RectangleLabels name="box" toName="image" smart="true">
    <Label value="{label}" background="#4363d8" smart="true"/>
  </RectangleLabels>
</View>
"""
"""A tag to fill and the smart tools, whose labels differ in colour alone: for masks, points and boxes."""
POINT_LABEL, BOX_LABEL = 1, 2
"""Places of the smart tools' labels below the picture."""
_PHOTOS = ("coins.png", "coffee.png", "chelsea.png", "cell.png", "hubble_deep_field.jpg", "rocket.jpg")
"""Of those that scikit-image brings along, so that nothing is fetched."""
_NUCLEI = Path(__file__).resolve().parents[1] / "tests" / "images"


def smart_config(label: str = "Object", attributes: str = "") -> str:
    """Return a labeling config in which things are clicked on; the attributes are those of the tag to fill."""
    return SMART_TOOLS.format(label=label, attributes=attributes)


@dataclass(frozen=True)
class Demo:
    """The project, its tasks by the name of their image, and the two servers."""

    studio: Studio
    prebrush: Server
    project: int
    tasks: dict[str, int]

    @property
    def url(self) -> str:
        """Where the project's tasks are."""
        return f"{self.studio.url}/projects/{self.project}/data"


@contextmanager
def run_demo(home: Path, folder: Path, tell: Callable[[str], None]) -> Iterator[Demo]:
    """Run both servers with a ready project until the block ends.

    Parameters
    ----------
    home : Path
        The virtual environment that holds Label Studio.
    folder : Path
        Where both keep what they have; it is empty at the start.
    tell : callable
        Takes a line about what is being done.
    """
    tell("Starting Label Studio; its first start takes about half a minute.")
    for name in ("studio", "prebrush"):
        (folder / name).mkdir()
    with run_studio(home, folder / "studio", folder / "label-studio.log", port=8080) as studio:
        tell("Starting prebrush.")
        settings = {"LABEL_STUDIO_URL": studio.url, "LABEL_STUDIO_API_KEY": studio.create_access_token()}
        with run_prebrush(folder / "prebrush", folder / "prebrush.log", settings, port=9090) as prebrush:
            tell("Making a project and fetching its masks.")
            project = studio.create_project(TITLE, smart_config())
            tasks = {name: studio.upload(project, name, content) for name, content in sample_images().items()}
            studio.connect(project, prebrush.url)
            studio.retrieve_predictions(project)
            # a slow machine may be given the last ones a second time it asks
            wait_for(lambda: _all_predicted(studio, project, tasks), "the masks", limit_s=180)
            yield Demo(studio, prebrush, project, tasks)


def sample_images() -> dict[str, bytes]:
    """Return image files by name: photographs, and nuclei under the microscope."""
    photos = {name: (files("skimage.data") / name).read_bytes() for name in _PHOTOS}
    nuclei = [path for path in sorted(_NUCLEI.glob("nuc_*.png")) if not path.stem.endswith("_gt")]
    return photos | {path.name: path.read_bytes() for path in nuclei[:2]}


def _all_predicted(studio: Studio, project: int, tasks: dict[str, int]) -> bool:
    found = {each["task"] for each in studio.predictions(project)}
    if found >= set(tasks.values()):
        return True
    studio.retrieve_predictions(project)
    return False
