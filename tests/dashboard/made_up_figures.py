"""A database with made-up published figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.published.figures import COLUMNS
from bench.published.importing import import_file
from bench.store.database import open_writer

SEEN = "verified in the paper"


@pytest.fixture(scope="session")
def beside(make_database: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full board with made-up published figures of every verdict; digits has no real ones."""
    path = make_database()
    file = tmp_path_factory.mktemp("figures") / "made-up.csv"
    with open_writer(path) as db:
        means = {
            (method, noise): round(100 * mean, 2)
            for method, noise, mean in db.execute(
                "SELECT method, noise, test_accuracy FROM leaderboard WHERE refiner = 'off'"
            )
        }
        ce, gce = means["ce", "symmetric 0.5"], means["gce", "symmetric 0.5"]
        pair = means["co-teaching", "pairflip 0.45"]
        rows = [
            f'CE,digits,sym-excl,0.5,mlp,12,"last, 3 runs",{ce + 0.4:.2f},0.3,Paper A,{SEEN}',
            f"GCE,digits,sym-excl,0.5,mlp,10-12,last,{gce - 3:.2f},,Paper A,{SEEN}",
            f'GCE,digits,sym-excl,0.5,mlp,12,last,{gce + 0.9:.2f},,Paper B,"recalled, unverified"',
            f"GCE,digits,sym-incl,0.5,ResNet34,300,best,{gce + 9:.2f},,Paper C,{SEEN}",
            f"Co-teaching,digits,pairflip,0.45,9-layer CNN,200,mean of last 10 epochs,{pair:.2f},"
            f",Paper D,{SEEN}",
            f"CE,digits,none,0,mlp,see paper,as listed,99.10,,Paper E <b>,{SEEN}",
            f"CE,CIFAR-10,none,0,ResNet34,200,last,94.00,,Paper E,{SEEN}",
        ]
        file.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
        import_file(db, file)
    return path
