"""Several runs beside each other: what differs, and their curves."""

from __future__ import annotations

import json
from pathlib import Path

from page_parts import Said, Visit
from run_page_parts import charts, headings, keys
from streamlit.testing.v1 import AppTest


def test_a_comparison_shows_only_what_differs(visit: Visit, said: Said, full: Path) -> None:
    one, two = keys(full, "ce")[0], keys(full, "gce")[0]
    at = visit(full, "runs", run=f"{one},{two}")
    frame = next(f.value for f in at.dataframe if "part" in f.value)
    assert (frame["run0"] != frame["run1"]).all()
    rows = frame.set_index("setting")
    assert rows.loc["method", "run1"] == "gce"
    assert "protocol.epochs" not in rows.index
    assert "epochs" not in rows.index
    assert "In common: clean · digits · seed 0" in said(at)
    columns = json.loads(next(f for f in at.dataframe if "part" in f.value).proto.columns)
    assert columns["run0"]["label"] == f"ce · {one}"


def test_what_is_equal_is_shown_on_demand(visit: Visit, full: Path) -> None:
    chosen = ",".join(keys(full)[:2])
    at = visit(full, "runs", run=chosen)

    def rows(at: AppTest) -> set[str]:
        return set(next(f.value for f in at.dataframe if "part" in f.value)["setting"])

    few = rows(at)
    at.toggle(key="equal").set_value(True).run()
    assert rows(at) > few
    assert {"epochs", "optimiser.lr"} <= rows(at)
    assert rows(visit(full, "runs", run=chosen, equal="true")) == rows(at)


def test_curves_are_overlaid(visit: Visit, said: Said, full: Path) -> None:
    one, two = keys(full, "ce")[0], keys(full, "gce")[1]
    at = visit(full, "runs", run=f"{one},{two}")
    assert {"Test accuracy", "Fit to given labels", "Fit to true labels"} <= headings(at)
    domain = charts(at)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert domain == [f"ce · seed 0 · {one}", f"gce · seed 1 · {two}"]
    at.segmented_control(key="compared").set_value("all seeds").run()
    assert "their mean. 3 seeds each." in said(at)
    domain = charts(at)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert domain == ["ce", "gce"]


def test_two_seeds_of_one_cell_share_its_mean(visit: Visit, full: Path) -> None:
    at = visit(full, "runs", run=",".join(keys(full)[:2]), compared="all seeds")
    domain = charts(at)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert domain == ["ce"]


def test_other_hardware_is_said(visit: Visit, said: Said, machines: Path) -> None:
    one, two = keys(machines)
    text = said(visit(machines, "runs", run=f"{one},{two}"))
    assert (
        "The runs differ in accelerator, device and precision: differences within rounding" in text
    )
    assert "changes that were not committed" in text
    other = keys(machines, "gce")[1]
    assert "on the same hardware" in said(visit(machines, "runs", run=f"{two},{other}"))


def test_a_run_without_measurements_has_no_line(visit: Visit, said: Said, holes: Path) -> None:
    done, failed = keys(holes, "ce", "symmetric")[:2]
    at = visit(holes, "runs", run=f"{done},{failed}")
    assert "1 run without measurements: no line." in said(at)
    missing = keys(holes, "co-teaching", "pairflip")
    at = visit(holes, "runs", run=",".join(missing[:2]))
    assert "None of these runs has measurements" in said(at)
    assert not at.error
