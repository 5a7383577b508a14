"""Fuzzes the targets one after the other with atheris, each in a process of its own, and prints a table.

``python -m fuzzing [TARGET...] [--seconds S] [--corpus FOLDER]``: S seconds for all together. What breaks a target is
written beside the corpus; put it into ``tests/fuzzing/found/TARGET/`` with the fix.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def fuzz_here(target: str, arguments: list[str]) -> None:
    """Fuzz one target in this process; does not return."""
    import atheris

    # numba cannot compile what has been instrumented; the parsers are elsewhere
    compiled = [
        "prebrush.segmentation",
        *(f"prebrush.labelstudio.{name}" for name in ("outlines", "passed_over", "rle_kernels")),
    ]
    with atheris.instrument_imports(include=["prebrush"], exclude=compiled):
        from fuzzing.targets import TARGETS, every
    atheris.Setup([sys.argv[0], *arguments], TARGETS.get(target, every))
    atheris.Fuzz()


def fuzz(target: str, seconds: float, corpus: Path, fixed: tuple[str, ...] = ()) -> tuple[int, int, list[Path]]:
    """Fuzz one target in a child process; return how often it ran, the edges covered, and what broke it.

    `fixed` are options such as ``-seed=1``, which make the walk the same each time.
    """
    from fuzzing.seeds import seeds_of

    folder, findings = corpus / target, corpus / "findings" / target
    folder.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate(seeds_of(target)):
            (Path(seeds) / str(number)).write_bytes(seed)
        options = [
            f"-max_total_time={max(1, round(seconds))}",
            f"-artifact_prefix={findings}/",
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-max_len=20000",
            "-print_final_stats=1",
            *fixed,
        ]
        done = subprocess.run(
            [sys.executable, "-m", "fuzzing", "--here", target, *options, str(folder), seeds],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent / "backend")))},
            check=False,
        )
    ran = re.findall(r"stat::number_of_executed_units:\s*(\d+)|^#(\d+)", done.stderr, re.MULTILINE)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    found = sorted(set(findings.iterdir()) - before)
    if found or done.returncode:
        sys.stderr.write(done.stderr[-6000:])
        if not found:
            raise SystemExit(f"{target}: the fuzzer itself failed with status {done.returncode}")
    runs = max((int(one or other) for one, other in ran), default=0)
    return runs, int(covered[-1]) if covered else 0, found


def main() -> int:
    """Fuzz, print, and say by the exit status whether anything broke."""
    if sys.argv[1:2] == ["--here"]:
        fuzz_here(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--corpus", type=Path, default=TESTS.parent / ".fuzz")
    chosen = parser.parse_args()
    from fuzzing.targets import TARGETS

    names = chosen.targets or list(TARGETS)
    broken = False
    for name in names:
        started = time.monotonic()
        runs, covered, found = fuzz(name, chosen.seconds / len(names), chosen.corpus.resolve())
        seconds = time.monotonic() - started
        told = ", ".join(map(str, found)) or "nothing"
        sys.stdout.write(f"{name:14} {runs:>9} runs {seconds:6.0f} s {covered:>6} edges  found: {told}\n")
        sys.stdout.flush()
        broken = broken or bool(found)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
