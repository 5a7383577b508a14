"""Print what a pyproject.toml depends on, a line each, so that an image can have it in a layer before the code.

Its path comes first, then the names of extras.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text())["project"]
extras = [line for name in sys.argv[2:] for line in project["optional-dependencies"][name]]
sys.stdout.write("\n".join([*project["dependencies"], *extras]) + "\n")
