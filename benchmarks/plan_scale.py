"""What a suite of 100,000 trainings takes before its first training starts, when 90 % are done.

    python benchmarks/plan_scale.py [--sizes 10000 50000 100000] [--repeats 3]

The suite crosses the zoo's methods (50 with a grid of one) with 20 noises and the seeds that make
up the number; each training is asked for under three refiners. Its noise artefacts are drawn and
its database is filled by the real schema before anything is timed; the figures in it are made up.

*Plan and resume* is everything between a suite's file and the first training: the file is read and
checked, the plan made, written into the database, and compared with what is there. It is timed
inside a fresh process each, without loading Python. Bar: under 3 s at 100,000, growing linearly (an
exponent of at most 1.1). What a person waits for is measured beside it: ``python -m bench plan`` as
a whole process, and what ``run`` does besides: past times are read, and one network is probed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from measure import ROOT, Measure, child, exponent, report, spread
from tqdm import tqdm

BAR_S = 3.0
BAR_EXPONENT = 1.1
DONE = 0.9
NOISES = 20
SIZES = (10_000, 50_000, 100_000)
"""Numbers of trainings; each a multiple of methods times noises, which are 1,000 cells."""


def suite_text(seeds: int) -> str:
    """The zoo's methods and seven more settings of one, on 20 rates of symmetric noise."""
    zoo = yaml.safe_load((ROOT / "bench" / "suites" / "zoo.yaml").read_text(encoding="utf-8"))
    grid = [{"gce": {"grid": {"q": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9]}}}]
    rates = [round(0.02 * number, 2) for number in range(1, NOISES + 1)]
    return yaml.safe_dump(
        {
            "suite": "plan-scale",
            "extends": "zoo",
            "noises": [{"symmetric": {"grid": {"rate": rates}}}],
            "methods": [*zoo["methods"], *grid],
            "seeds": seeds,
        }
    )


def prepare(folder: Path, trainings: int) -> tuple[Path, Path]:
    """A suite of this size and a database in which 90 % of it is done; as it was if it is there."""
    from bench.plan import make_plan
    from bench.registry import discover
    from bench.spec import load_suite
    from bench.store.database import open_writer
    from bench.store.plans import record_plan

    suite, path = folder / f"suite-{trainings}.yaml", folder / f"results-{trainings}.db"
    if path.exists():
        return suite, path
    suite.write_text(suite_text(trainings // 1000), encoding="utf-8")
    registry = discover()
    plan = make_plan(load_suite(str(suite), None, registry), registry, folder)
    if len(plan.trainings) != trainings:
        raise SystemExit(f"the suite has {len(plan.trainings)} trainings, not {trainings}")
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    with open_writer(part) as db:
        record_plan(db, plan, registry)
        connection = db.conn
        connection.execute("BEGIN")
        ids = dict(connection.execute("SELECT training_key, id FROM trainings"))
        variants = dict(connection.execute("SELECT refiner, variant FROM variants"))
        connection.execute(
            "INSERT INTO environments VALUES ('e', '', 0, '3.11', 'x', 'cpu', 2, '', '{}')"
        )
        done = plan.trainings[: round(DONE * trainings)]
        for training in tqdm(done, desc=f"{trainings} trainings", unit="row", mininterval=1):
            row = ids[training.key]
            connection.execute(
                "INSERT INTO attempts VALUES (?, 1, 'done', '2026-01-01T00:00:00+00:00', 9.5, 9, "
                "1000000, 1000, 1000, 'cpu', 'fp32', 1, 'e', '', '', '')",
                [row],
            )
            curve = json.dumps([[k, 0.4, 0.8] for k in range(11)])
            connection.executemany(
                "INSERT INTO evaluations VALUES (?, ?, ?, 0.8, 0.4, 7, 10, 0.1, ?, '')",
                [(row, variants[r.name], r.evaluation_key, curve) for r in training.refiners],
            )
        connection.execute("COMMIT")
    part.rename(path)
    return suite, path


def one(suite: Path, db: Path, data_dir: Path) -> dict[str, float]:
    """Seconds of each step of one resumption; runs in a process of its own."""
    from bench import plan as planning
    from bench.estimate import estimate
    from bench.registry import discover
    from bench.runner import sort_out
    from bench.settings import Settings
    from bench.spec import load_suite
    from bench.store.database import open_writer
    from bench.store.plans import record_plan

    clock = [time.perf_counter()]
    names = []

    def lap(name: str) -> None:
        clock.append(time.perf_counter())
        names.append(name)

    registry = discover()
    lap("plugins")
    chosen = load_suite(str(suite), None, registry)
    lap("read the suite")
    made = planning.make_plan(chosen, registry, data_dir)
    lap("plan")
    with open_writer(db) as database:
        record_plan(database, made, registry)
        lap("record")
        todo = sort_out(database.conn, list(planning.only(made, {})))
        lap("sort out")
        shares = len(todo.done) / len(made.trainings)
        if abs(shares - DONE) > 0.001:
            raise SystemExit(f"{shares:.1%} are taken for done, not {DONE:.0%}")
        total = clock[-1] - clock[0]
        estimate(database.conn, todo.run, made, registry, Settings(db, data_dir, "cpu", 2))
        lap("estimate, with a probe")
    laps = dict(zip(names, (b - a for a, b in itertools.pairwise(clock)), strict=True))
    return {"plan and resume": total, **laps}


def measures(sizes: list[int], repeats: int, keep: Path | None) -> Iterator[Measure]:
    """Prepare every size, then measure them in turn."""
    found: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    whole: dict[int, list[float]] = {size: [] for size in sizes}
    peak = plan_peak = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = keep or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        ready = {size: prepare(folder, size) for size in sizes}
        for _ in range(repeats):
            for size, (suite, db) in ready.items():
                step = child([sys.executable, __file__, "--one", str(suite), str(db), str(folder)])
                found[size].append(json.loads(step.output.splitlines()[-1]))
                command = [sys.executable, "-m", "bench", "plan", str(suite), "--device", "cpu"]
                command += ["--db", str(db), "--data-dir", str(folder)]
                ended = child(command)
                if ended.code:
                    raise SystemExit(f"bench plan failed: {ended.output}")
                whole[size].append(ended.wall_s)
                if size == max(sizes):
                    peak, plan_peak = step.peak_mib, ended.peak_mib
    largest = max(sizes)
    medians = {
        size: statistics.median(run["plan and resume"] for run in runs)
        for size, runs in found.items()
    }
    steps = {
        step: statistics.median(run[step] for run in found[largest]) for step in found[largest][0]
    }
    yield Measure(
        f"plan and resume {largest:,} trainings",
        medians[largest],
        "s",
        at_most=BAR_S if largest >= max(SIZES) else None,
        peak_mib=peak,
        note=", ".join(
            f"{step} {seconds:.2f}" for step, seconds in steps.items() if step != "plan and resume"
        )
        + "; the estimate is not part of it",
    )
    yield Measure(
        "its growth with the number of trainings",
        exponent(sizes, [medians[size] for size in sizes]),
        "(exponent)",
        at_most=BAR_EXPONENT,
        note=", ".join(f"{size:,}: {medians[size]:.2f} s" for size in sizes),
    )
    yield Measure(
        f"`python -m bench plan` of {largest:,}, the whole process",
        statistics.median(whole[largest]),
        "s",
        peak_mib=plan_peak,
        note=f"{spread(whole[largest])}; imports, table and a probe of the network included",
    )


def main() -> int:
    """Print a row a measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="where suites and databases are kept, or are")
    parser.add_argument("--one", type=Path, nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.one:
        suite, db, data_dir = wanted.one
        print(json.dumps(one(suite, db, data_dir)))
        return 0
    return report(measures(sorted(wanted.sizes), wanted.repeats, wanted.keep))


if __name__ == "__main__":
    sys.exit(main())
