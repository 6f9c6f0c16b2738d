"""``data``: bring data sets in, and check them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options
from bench.cli.console import terminal
from bench.cli.noise import noise

if TYPE_CHECKING:
    from bench.api import DataInfo

app = typer.Typer(
    help="Bring data sets in, and check them.", no_args_is_help=True, rich_markup_mode="rich"
)

app.command("noise")(noise)

Name = Annotated[str, typer.Argument(help="A data set; data list shows all.")]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PARAMETER=VALUE]...", help="For example size=64."),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace a prepared set that is another one.")
]


@app.command()
def fetch(
    name: Name,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    replace: Replace = False,
    plugin: options.Plugins = None,
) -> None:
    """Download a data set through torchvision, which checks it, and prepare it.

    A set that is prepared already is left alone. The files as downloaded stay in DATA_DIR/raw/NAME
    and may be removed afterwards. Without a network, see: data import.

    [dim]Example:[/dim] python -m bench data fetch cifar100
    """
    from bench.data import importer
    from bench.registry import discover

    registry = discover(plugin or ())
    before = _written(name, data_dir)
    _say(importer.fetch(name, data_dir, registry, replace=replace), data_dir, before)


@app.command("import")
def import_(
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A folder or zip; need not be unpacked.")
    ],
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    settings: Settings = None,
    replace: Replace = False,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Go on without listed files that are not there.")
    ] = False,
    plugin: options.Plugins = None,
) -> None:
    """Prepare a data set from a folder or a zip of images, without any network.

    It holds train/<class>/* and test/<class>/*, directly or inside one top folder: images of one
    size, all RGB or all 8-bit grey. Class folders carry the official class names. Data sets with
    a layout of their own (data list shows them) are read from their folder as it was released;
    their images are made square, and size=64 chooses the side.

    A subset is welcome: it is shown with its sizes and never ranked with the full set. Where files
    are called by their position in the official set (00017.png), label files made for the full
    set still fit; other names carry no position.

    A released label file (cifar10n, cifar100n) is checked and copied to DATA_DIR/labels.

    [dim]Example:[/dim] python -m bench data import cifar10 ~/cifar10-subset.zip
    """
    from bench.data import importer, released
    from bench.registry import discover

    registry = discover(plugin or ())
    official = released.official_files(registry)
    if name in official:
        kept = released.keep(file, data_dir, name=official[name])
        terminal().print(f"{name}: {kept.describe()}", markup=False, soft_wrap=True)
        return
    name = registry.bind("dataset", name, options.settings(settings))
    before = _written(name, data_dir)
    info = importer.import_copy(
        name, file, data_dir, registry, replace=replace, skip_missing=skip_missing
    )
    _say(info, data_dir, before)


@app.command()
def labels(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="csv, json, npy or pt.")],
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
) -> None:
    """Check label files and copy them to DATA_DIR/labels, where the noise flip-file finds them.

    [dim]Example:[/dim] python -m bench data labels idn_cifar10_r0.4.csv
    """
    from bench.data import released

    for file in files:
        kept = released.keep(file, data_dir)
        terminal().print(kept.describe(), markup=False, soft_wrap=True)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets; all that are prepared by default.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--source", help="Check a folder in the data set's own layout instead."),
    ] = None,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    plugin: options.Plugins = None,
) -> None:
    """Hash prepared data sets again and compare with what was prepared.

    With --source, look instead at a folder as it was released, before importing it: count what is
    there, and name what its own lists have and the disk has not.

    [dim]Example:[/dim] python -m bench data verify clothing1m --source ~/clothing1m
    """
    from bench.data import arrays, inventory
    from bench.errors import DataError
    from bench.registry import discover

    registry = discover(plugin or ())
    for name in names or ():
        registry.get("dataset", name)
    if source is not None:
        if len(names or ()) != 1:
            raise DataError("--source goes with one data set: data verify NAME --source FOLDER")
        terminal().print(
            inventory.verify_layout((names or [""])[0], source, registry),
            markup=False,
            soft_wrap=True,
        )
        return
    usable = [info.name for info in registry.all("dataset") if not info.error]
    chosen = names or [name for name in usable if arrays.exists(name, data_dir)]
    if not chosen:
        terminal().print(f"nothing is prepared in {data_dir}; see: python -m bench data list")
    problems = []
    for name in chosen:
        try:
            info = inventory.verify(name, data_dir, registry)
        except DataError as error:
            problems.append(f"{name}: {error}")
        else:
            terminal().print(f"{name}: OK, {_describe(info)}", markup=False, soft_wrap=True)
    if problems:
        raise DataError("\n".join(problems))


@app.command("list")
def list_(
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    as_json: options.AsJson = False,
    plugin: options.Plugins = None,
) -> None:
    """List data sets: those prepared with sizes and fingerprints, the others with how to get them.

    [dim]Example:[/dim] python -m bench data list --json
    """
    from rich.table import Table
    from rich.text import Text

    from bench.data.inventory import survey
    from bench.registry import discover

    entries = survey(data_dir, discover(plugin or ()))
    if as_json:
        typer.echo(json.dumps([entry.as_dict() for entry in entries], indent=1))
        return
    table = Table("data set", "state", "train", "test", "classes", "fingerprint", "note")
    for entry in entries:
        info = entry.info
        sizes = (
            (f"{info.n_train:,}", f"{info.n_test:,}", str(info.n_classes), info.fingerprint[:12])
            if info
            else ("", "", "", "")
        )
        table.add_row(entry.name, entry.state, *sizes, Text(entry.note))
    terminal().print(table)


def _written(name: str, data_dir: Path) -> int | None:
    """When the set was written last, in nanoseconds; None when it is not there."""
    from bench.data import arrays

    if not arrays.exists(name, data_dir):
        return None
    return (arrays.folder(name, data_dir) / "meta.json").stat().st_mtime_ns


def _say(info: DataInfo, data_dir: Path, before: int | None) -> None:

    same = _written(info.name, data_dir) == before
    done = "was prepared already, nothing changed" if same else "prepared"
    terminal().print(
        f"{info.name}: {done} in {data_dir}: {_describe(info)}", markup=False, soft_wrap=True
    )


def _describe(info: DataInfo) -> str:
    shape = "x".join(str(side) for side in info.shape)
    kind = "the full set" if info.full else "a subset"
    return (
        f"{kind}, {info.n_train:,} train, {info.n_test:,} test, {info.n_classes} classes, "
        f"shape {shape}, fingerprint {info.fingerprint[:12]}"
    )
