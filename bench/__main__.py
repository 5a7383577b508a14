"""``python -m bench [NAME]...``: run the benchmarks, print and save their tables, exit 1 if a bar is missed.

All of them together end with one table of all rows.
"""

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

import bench
from bench.harness import run, show

WHOLE = "all"
"""Name of the table of all rows."""


def find_benchmarks() -> dict[str, ModuleType]:
    """Import every module of this folder and keep those that have rows, by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(bench.__path__) if not info.name.startswith("_"))
    modules = {name: importlib.import_module(f"bench.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "rows")}


def main() -> int:
    benchmarks = find_benchmarks()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to run: {', '.join(benchmarks)}; all if none")
    names = parser.parse_args().names or list(benchmarks)
    if unknown := set(names) - benchmarks.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(benchmarks)}")
    measured = [line for name in names for line in run(name, benchmarks[name].rows())]
    if len(names) == len(benchmarks):
        show(WHOLE, measured)
    return 0 if all(line.passed for line in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
