"""``data``: bring data sets in, and check them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import options

if TYPE_CHECKING:
    from bench.api import DataInfo

app = typer.Typer(
    help="Bring data sets in, and check them.", no_args_is_help=True, rich_markup_mode="rich"
)

Name = Annotated[str, typer.Argument(help="A data set; data list shows all.")]
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
    replace: Replace = False,
    plugin: options.Plugins = None,
) -> None:
    """Prepare a data set from a folder or a zip of images, without any network.

    It holds train/<class>/* and test/<class>/*, directly or inside one top folder: images of one
    size, all RGB or all 8-bit grey. Class folders carry the official class names.

    A subset is welcome: it is shown with its sizes and never ranked with the full set. Where files
    are called by their position in the official set (00017.png), label files made for the full
    set still fit; other names carry no position.

    [dim]Example:[/dim] python -m bench data import cifar10 ~/cifar10-subset.zip
    """
    from bench.data import importer
    from bench.registry import discover

    registry = discover(plugin or ())
    before = _written(name, data_dir)
    info = importer.import_tree(name, file, data_dir, registry, replace=replace)
    _say(info, data_dir, before)


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets; all that are prepared by default.")
    ] = None,
    data_dir: options.DataDir = options.DEFAULT_DATA_DIR,
    plugin: options.Plugins = None,
) -> None:
    """Hash prepared data sets again and compare with what was prepared.

    [dim]Example:[/dim] python -m bench data verify cifar10
    """
    from bench.cli.console import terminal
    from bench.data import inventory, prepared
    from bench.errors import DataError
    from bench.registry import discover

    registry = discover(plugin or ())
    for name in names or ():
        registry.get("dataset", name)
    usable = [info.name for info in registry.all("dataset") if not info.error]
    chosen = names or [name for name in usable if prepared.exists(name, data_dir)]
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

    from bench.cli.console import terminal
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
    from bench.data import prepared

    if not prepared.exists(name, data_dir):
        return None
    return (prepared.folder(name, data_dir) / "meta.json").stat().st_mtime_ns


def _say(info: DataInfo, data_dir: Path, before: int | None) -> None:
    from bench.cli.console import terminal

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
