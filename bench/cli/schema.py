"""``schema``: the JSON Schema of suite files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def schema(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; default is the terminal.")
    ] = None,
) -> None:
    """Print the JSON Schema of a suite file, for completion and checks in an editor.

    Put this line on top of a suite for editors with the YAML language server:

      # yaml-language-server: $schema=suite.schema.json

    [dim]Example:[/dim] python -m bench schema -o suite.schema.json
    """
    from bench.spec import json_schema

    text = json.dumps(json_schema(), indent=1)
    if output is None:
        typer.echo(text)
    else:
        output.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"{output} written")
