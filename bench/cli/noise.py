"""``data noise``: what a noise does to a data set's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from bench.data.audit import NoiseAudit

WIDEST = 12
"""More classes than this are summarised."""
LARGEST = 10


def noise(
    dataset: Annotated[str, typer.Argument(help="A data set; parameters as in a suite.")],
    name: Annotated[str, typer.Argument(metavar="NOISE", help="A noise; list noises shows all.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PARAMETER=VALUE]...", help="For example rate=0.4; YAML."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The suite's seed.")] = 0,
    image: Annotated[
        Path | None,
        typer.Option("--image", help="Draw matrix and wrong labels: a png, svg or html file."),
    ] = None,
    as_json: options.AsJson = False,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    plugin: options.Plugins = None,
) -> None:
    """Audit label noise: rates, the whole matrix, the hash, and what another convention gives.

    The labels are those that every training of a suite with this data set, noise and seed is given.

    [dim]Examples:[/dim]
    python -m bench data noise digits symmetric rate=0.4 convention=inclusive --image noise.png
    python -m bench data noise cifar10 human labels=worse
    """
    import yaml

    from bench.artefacts import PreparedTrainingSet, artefact
    from bench.cli.console import terminal
    from bench.data import audit
    from bench.data.prepared import load
    from bench.errors import BenchError, Incompatible
    from bench.protocol import Named, _named
    from bench.registry import discover
    from bench.report.noise_charts import picture, save

    registry = discover(plugin or ())
    item = Named.model_validate(_named(yaml.safe_load(dataset)))
    info = registry.get("noise", name)
    params = info.resolve(options.settings(settings))
    prepared = load(registry.bind("dataset", item.name, item.params), data_dir, registry).at(seed)
    train = PreparedTrainingSet(prepared, registry, data_dir)
    plugin_ = registry.create("noise", name, params)
    try:
        drawn = artefact(name, params, seed, prepared, registry, data_dir)
    except Incompatible as error:
        raise BenchError(f"{name} cannot be on {prepared.info.label}: {error}") from None
    found = audit.audit(plugin_, drawn, train, seed)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=1))
    else:
        _print(found, terminal())
    if image is not None:
        save(picture(found, audit.examples(drawn, train)), image)
        typer.echo(f"{image} written", err=as_json)


def _print(found: NoiseAudit, console: Console) -> None:
    from rich.table import Table

    rows: dict[str, Any] = {
        "noise": f"{found.noise} on {found.dataset}, seed {found.seed}, {found.n:,} samples",
        "nominal rate": _share(found.nominal_rate, "this noise names none"),
        "realised rate": _share(found.realised_rate, "nobody knows the true labels"),
        "sha256": found.sha,
    }
    if found.open_rate:
        rows["open rate"] = f"{_share(found.open_rate)} of the inputs belong to no class"
    if found.mean_set_size is not None:
        rows["candidates"] = f"{found.mean_set_size:.2f} a sample on average"
    for other in found.disagreements:
        rows[f"as {other.convention}"] = (
            f"{_share(other.rate)} wrong; {_share(other.share)} of the labels differ from these"
        )
    width = max(15, *(len(key) + 2 for key in rows))
    for key, value in rows.items():
        console.print(f"  {key:<{width}}{value}", markup=False, soft_wrap=True)
    n = len(found.class_names)
    single = found.mean_set_size is None
    given = "given" if single else "candidate"
    counted = "given this label" if single else "sets with this label"
    rates = Table("true class", "samples", "wrong", counted)
    for i, class_name in enumerate(found.class_names):
        samples = "" if found.true_counts is None else f"{found.true_counts[i]:,}"
        wrong = "" if found.class_rates is None else _share(float(found.class_rates[i]))
        rates.add_row(class_name, samples, wrong, f"{found.given_counts[i]:,}")
    console.print(rates)
    if found.matrix is None:
        return
    if n <= WIDEST:
        full = Table(f"true \\ {given}", *found.class_names)
        for i, class_name in enumerate(found.class_names):
            cells = [f"{value:.3f}" if value else "" for value in found.matrix[i]]
            full.add_row(class_name, *cells)
        console.print(full)
        return
    pairs = [(float(found.matrix[i, j]), i, j) for i in range(n) for j in range(n) if i != j]
    title = f"The {LARGEST} likeliest confusions of {n} classes"
    top = Table("true", given, "share", title=title)
    for share, i, j in sorted(pairs, reverse=True)[:LARGEST]:
        top.add_row(found.class_names[i], found.class_names[j], _share(share))
    console.print(top)
    console.print("  The full matrix: --json, or --image noise.png", markup=False)


def _share(value: float | None, unknown: str = "") -> str:
    return unknown if value is None or value != value else f"{100 * value:.2f} %"
