"""The same targets under Atheris (libFuzzer), for longer runs by hand; it is no dependency.

    pip install atheris
    python tests/fuzz/with_atheris.py import CORPUS_FOLDER -max_total_time=600
    python tests/fuzz/with_atheris.py spec CORPUS_FOLDER -max_total_time=600

An empty folder is filled with the seeds of the test suite first.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["bench", "yaml", "json"]):
    import targets
    from coverage_guided import cut, double, flip, inserting
    from test_fuzz import documents

    from bench.registry import discover
    from bench.suite_files import SUITES

IMPORT = (
    *(targets.put_odd, targets.drop, targets.swap, targets.nudge),
    *(targets.repair, targets.repair, flip, cut, double),
)
SPEC = (cut, flip, double, inserting(targets.YAML_WORDS), inserting(targets.YAML_WORDS))


def main() -> None:
    """Fuzz the target that the first argument names."""
    which, corpus = sys.argv[1], Path(sys.argv[2])
    corpus.mkdir(parents=True, exist_ok=True)
    if which == "import":
        target, changes, seeds = targets.importer(), IMPORT, documents()
    else:
        folder = Path(tempfile.mkdtemp())
        target, changes = targets.spec_reader(discover(), folder), SPEC
        seeds = [path.read_bytes() for path in SUITES.glob("*.yaml")]
    if not any(corpus.iterdir()):
        for number, data in enumerate(seeds):
            (corpus / f"seed-{number}").write_bytes(data)

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)  # noqa: S311 - chooses inputs, guards nothing
        return rng.choice(changes)(bytes(data), rng)[:most]

    atheris.Setup([sys.argv[0], *sys.argv[2:]], target, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
