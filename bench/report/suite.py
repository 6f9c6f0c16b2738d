"""The tables and charts of a board, chosen and ordered for who reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.report import gain_tables, rank_tables
from bench.report.attribution import attribution_table, attribution_tables, families_of
from bench.report.cells import cells_table
from bench.report.content import Content
from bench.report.figures import (
    Drawing,
    difference_drawings,
    forest_drawing,
    gain_drawings,
    standing_drawings,
)
from bench.report.gain_charts import gain_frame
from bench.report.leaderboard import leaderboard_table
from bench.report.missing import missing_table
from bench.report.noise import labels_table
from bench.report.published import NOTHING, published_table
from bench.report.standing import Standing, headings, standing_of
from bench.report.tables import Table
from bench.stats.attribution import attribution, is_variant
from bench.stats.gains import by_cell, by_method, overall
from bench.stats.oracle import oracle_gains

SCREEN, PAPER, PAGE, SCRIPT = "screen", "paper", "page", "script"
"""Who reads: a terminal, a paper, a page that has room for everything, a program."""

MOST_MISSING = 20
"""Rows of missing cells on a screen."""

MORE = "Controls cell by cell and by method, and all pairs of methods: --format html, md or csv."

Part = Table | Drawing


@dataclass(frozen=True)
class Section:
    """Tables and charts under one heading, in the order in which they are read."""

    title: str
    parts: tuple[Part, ...]


def suite_tables(
    results: pd.DataFrame,
    methods: pd.DataFrame,
    title: str = "",
    refiners: Sequence[str] | None = None,
) -> list[Table]:
    """What a run ends with: the leaderboard, the test of it, the gains, and each in every cell.

    Args:
        results: one row a training and refiner of one board; where it has the column ``curve``,
            an oracle stands beside the gains.
        methods: what each method declared: method, knows, uses, and perhaps family.
        title: what was ranked, for example ``digits, budget short, on digits``.
        refiners: whose gains are shown cell by cell; None for all.
    """
    standing = standing_of(results, "off")
    tables = [leaderboard_table(standing, methods, title)]
    if standing.compared:
        tables.append(rank_tables.statistics_table(standing))
    gained = overall(results)
    if len(gained):
        oracle = oracle_gains(results) if "curve" in results else None
        tables.append(gain_tables.gains_table(gained, oracle))
        tables += attribution_tables(results, methods)
        cells = by_cell(results)
        chosen = [name for name in gained["refiner"] if refiners is None or name in refiners]
        tables += [gain_tables.gain_cells_table(cells, name) for name in chosen]
    return tables


def sections(content: Content, refiner: str, holes: str, reader: str) -> list[Section]:
    """The whole report.

    Args:
        content: the board.
        refiner: under which methods are ranked; gains are always over ``off``.
        holes: ``all`` or ``common``.
        reader: ``SCREEN``, ``PAPER``, ``PAGE`` or ``SCRIPT``.
    """
    standing = standing_of(content.results, refiner, holes, content.asked)
    found = [
        Section("Leaderboard", tuple(_leaderboard(content, standing, reader))),
        Section("Who differs from whom", tuple(_differences(standing, reader))),
        *_gains(content, reader),
        Section("Labels as given", (labels_table(content.labels),)),
    ]
    if reader == SCRIPT:
        found.append(Section("Cells", (cells_table(content.results, content.asked),)))
    if len(content.beside):
        found.append(Section("Published figures", (published_table(content.beside),)))
    return [section for section in found if section.parts]


def tables_of(found: Sequence[Section]) -> list[Table]:
    """The tables of all sections, in their order."""
    return [part for section in found for part in section.parts if isinstance(part, Table)]


def _leaderboard(content: Content, standing: Standing, reader: str) -> Iterator[Part]:
    table = leaderboard_table(standing, content.methods, content.board.title, content.excluded)
    yield _noted(table, NOTHING) if content.beside.empty else table
    most = MOST_MISSING if reader == SCREEN else None
    each = reader in (PAGE, SCRIPT)
    missing = missing_table(content, standing.holes, most, commands=each)
    if missing is not None:
        yield missing
    yield from standing_drawings(standing, content.methods)


def _differences(standing: Standing, reader: str) -> Iterator[Part]:
    if not standing.compared:
        return
    few = standing.ranks.shape[1] <= rank_tables.MOST_METHODS
    critical, *others = difference_drawings(standing)
    yield critical
    yield rank_tables.statistics_table(standing)
    yield from others
    if reader in (PAGE, SCRIPT) or (reader == PAPER and (few or standing.tested)):
        yield rank_tables.pairs_table(standing, only_significant=reader == PAPER and not few)
    if reader in (PAGE, SCRIPT) or (reader == PAPER and few):
        yield rank_tables.wins_table(standing)


def _gains(content: Content, reader: str) -> Iterator[Section]:
    """All refiners together, then one by one; on a screen only LIP and its variants."""
    results = content.results
    gained = overall(results)
    if gained.empty:
        return
    table = gain_tables.gains_table(gained, oracle_gains(results))
    parts: list[Part] = [_noted(table, MORE) if reader == SCREEN else table]
    if "family" in content.methods:
        found = attribution(results, families_of(content.methods, results))
        if len(found.verdicts):
            parts.append(attribution_table(found))
            variants = dict.fromkeys(found.verdicts["refiner"])
            parts += [forest_drawing(found, str(name)) for name in variants]
    yield Section("What refiners give and take", tuple(parts))
    names = [str(name) for name in gained["refiner"]]
    leading = [name for name in names if is_variant(name)] or names
    cells, methods = by_cell(results), by_method(results)
    for name in leading if reader == SCREEN else names:
        drawn = tuple(_gain_charts(content, cells, name)) if name in leading else ()
        tables = (
            gain_tables.gains_by_method_table(methods, name),
            gain_tables.gain_cells_table(cells, name),
        )
        yield Section(f"Refiner {name}", (*drawn[:1], *tables, *drawn[1:]))


def _gain_charts(content: Content, cells: pd.DataFrame, refiner: str) -> Iterator[Drawing]:
    found = cells[cells["refiner"] == refiner]
    have = set(zip(found["dataset"], found["noise"], strict=True))
    blocks = [block for block in content.blocks if block in have]
    methods = [m for m in dict.fromkeys(content.asked["method"]) if m in set(found["method"])]
    frame = gain_frame(found, methods, blocks, headings(blocks))
    return gain_drawings(frame, content.labels, refiner)


def _noted(table: Table, note: str) -> Table:
    return replace(table, notes=(*table.notes, note))
