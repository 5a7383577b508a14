"""A folder of images as tasks, without any Label Studio: each file is a task whose id is its path in the folder."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from prebrush.datatypes import Image, Task
from prebrush.errors import ConfigError, ImageError, ImageNotFound, ImageTooLarge, PrebrushError
from prebrush.images import ImageIdentity, Loaded, decode_image
from prebrush.images.loading import DIGEST_CHARACTERS
from prebrush.labelstudio.config import LabelConfig
from prebrush.measures import Measures
from prebrush.pictures import Account, Picture, Pictures, image_limits
from prebrush.settings import Settings
from prebrush.storage import Storage

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
ADDRESS = "/data/local-files/?d={folder}/{path}"
"""Label Studio's address of a file in a local storage whose root is the folder's parent."""
PLACEHOLDERS = ("{folder}", "{path}", "{name}")


class FilePictures(Pictures):
    """Opens the image files of a folder by the ids of their tasks."""

    def __init__(self, settings: Settings, storage: Storage, folder: Path) -> None:
        super().__init__(settings, storage, Measures())
        self._limits = image_limits(settings)
        self._folder = folder

    def open(self, address: str, task_id: int | str, account: Account, *, stored: bool) -> Picture:  # noqa: ARG002  a file needs neither
        """Read and decode the file of a task.

        Raises
        ------
        ImageError
            It cannot be read as an image.
        """
        if not _is_text(str(task_id)):
            raise ImageNotFound("a name that is not UTF-8 has no address in Label Studio; rename the file")
        loaded = self._load(self._folder / str(task_id))
        return Picture(loaded, lambda: self._load(self._folder / str(task_id)))

    def _load(self, path: Path) -> Loaded:
        try:
            size = path.stat().st_size
            if size > self._limits.max_bytes:
                raise ImageTooLarge(f"{path}: it has {size} bytes, over images.max_bytes = {self._limits.max_bytes}")
            body = path.read_bytes()
        except OSError as error:
            raise ImageNotFound(f"{path}: cannot be read: {error.strerror}") from error
        try:
            digest = hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS]
            image = Image(decode_image(body, self._limits), digest)
        except ImageError as error:
            raise type(error)(f"{path}: {error}") from error
        return Loaded(ImageIdentity(str(path), image.digest, image.height, image.width, 0.0), image)


def find_images(folder: Path) -> Iterator[PurePosixPath]:
    """Go through the images of a folder and those below, by name; hidden ones and links to folders are left out.

    Raises
    ------
    PrebrushError
        It is no folder.
    """
    if not folder.is_dir():
        raise PrebrushError(f"{folder} is not a folder of images")
    for here, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(files):
            if Path(name).suffix.lower() in ENDINGS and not name.startswith("."):
                yield PurePosixPath((Path(here) / name).relative_to(folder).as_posix())


def name_of(folder: Path) -> str:
    """Return a folder's own name, of `.` too; that of a link is the link's."""
    return folder.absolute().name if folder.name not in {"", ".."} else folder.resolve().name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def build_tasks(folder: Path, config: LabelConfig, address: str) -> Iterator[Task]:
    """Make a task of each image.

    Parameters
    ----------
    folder : Path
    config : LabelConfig
        Its tags tell under which names a task holds the image.
    address : str
        How Label Studio will find the image: text with ``{folder}``, the folder's name, ``{path}``, the image's path
        in it, and ``{name}``, the file's name, which are written as in a URL.

    Raises
    ------
    ConfigError
        The address holds neither the path nor the name, or the config takes several images from one task.
    """
    if "{path}" not in address and "{name}" not in address:
        raise ConfigError(f"--image-url {address}: expected {{path}} or {{name}} in it, as in {ADDRESS}")
    keys = {control.address: control.is_list for control in config.controls}
    variable = next(iter(keys), "")
    if len(keys) != 1 or variable != f"${config.controls[0].data_key}":
        raise ConfigError(
            f"the labeling config takes images from {', '.join(keys) or 'nowhere'}; a folder can fill one variable, as "
            'in <Image name="image" value="$image"/>'
        )
    key, is_list = variable[1:], keys[variable]

    def build(path: PurePosixPath) -> Task:
        values = (name_of(folder), path.as_posix(), path.name)
        shown = address
        for placeholder, value in zip(PLACEHOLDERS, values, strict=True):
            # a name that is no text is refused when it is opened, so that it costs only itself
            shown = shown.replace(placeholder, quote(os.fsencode(value)))
        return Task(path.as_posix(), {key: [shown] if is_list else shown})

    return map(build, find_images(folder))
