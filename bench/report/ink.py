"""Colours of charts on a light and on a dark page, apart for every kind of colour vision."""

from __future__ import annotations

from dataclasses import dataclass

import altair as alt

Chart = alt.LayerChart | alt.FacetChart
"""As Altair types a layered chart."""


@dataclass(frozen=True)
class Ink:
    """What differs between a light and a dark page.

    Harm is orange and gain is blue: they differ for every kind of colour vision, and are equally
    strong.

    Attributes:
        text: labels on the page.
        still: cells where nothing changed.
        faint: lines and marks in the background.
        accent: the marks that matter.
        harm, gain: small marks, which need more contrast with the page than fills do.
        harm_fill, gain_fill: cells, on which ``text`` can be read.
    """

    text: str
    still: str
    faint: str
    accent: str
    harm: str
    gain: str
    harm_fill: str
    gain_fill: str


LIGHT = Ink(
    text="#14161c",
    still="#f1f2f4",
    faint="#a3a8b4",
    accent="#2f7fc1",
    harm="#c2570c",
    gain="#1f6fb5",
    harm_fill="#e8833a",
    gain_fill="#559fe0",
)
DARK = Ink(
    text="#ffffff",
    still="#2a2e39",
    faint="#7b8290",
    accent="#5aa9e6",
    harm="#f0954a",
    gain="#5aa9e6",
    harm_fill="#b9520a",
    gain_fill="#1f6fb5",
)
