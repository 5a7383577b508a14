"""Print what a pyproject.toml depends on, a line each, so that an image can have it in a layer before the code."""

import sys
import tomllib
from pathlib import Path

sys.stdout.write("\n".join(tomllib.loads(Path(sys.argv[1]).read_text())["project"]["dependencies"]) + "\n")
