"""A chart as SVG inside a page: named, of fluid width, and in nobody's way."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from bench.report.pictures import picture

NAMESPACE = "{http://www.w3.org/2000/svg}"
KEPT = frozenset(
    {
        *("svg", "g", "path", "rect", "line", "circle", "text", "tspan", "title"),
        *("defs", "linearGradient", "radialGradient", "stop", "clipPath"),
    }
)
"""What a chart is made of; anything else is left out."""

REFERENCE = re.compile(r"url\(#([\w-]+)\)")
DROPPED = re.compile(r"aria-|role$|class$|pointer-events$|cursor$|on|.*href$|.*\}")
DECIMALS = re.compile(r"(\d+\.\d\d)\d+")


def inline_svg(chart: Any, name: str, label: str) -> str:
    """Draw a chart for a page.

    Args:
        chart: an Altair chart.
        name: unique on the page: gradients and clips of two charts must not meet.
        label: says the chart to who cannot see it.
    """
    root = ElementTree.fromstring(picture(chart, "svg"))  # noqa: S314 - our own
    _clean(root, name)
    root.set("role", "img")
    root.set("aria-label", label)
    # Not below this, or letters get too small to read: a narrow page scrolls the chart.
    width = float(root.get("width", "0"))
    root.attrib.pop("height", None)
    root.attrib.pop("width", None)
    root.set("style", f"min-width:{0.7 * width:.0f}px;max-width:{width:.0f}px")
    return ElementTree.tostring(root, encoding="unicode")


def _clean(element: ElementTree.Element, name: str) -> None:
    element.tag = element.tag.removeprefix(NAMESPACE)
    for key, value in list(element.attrib.items()):
        if DROPPED.match(key):
            del element.attrib[key]
        elif key == "id":
            element.set(key, f"{name}-{value}")
        else:
            shorter = DECIMALS.sub(r"\1", value) if key in ("d", "transform") else value
            element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", shorter))
    for child in list(element):
        if not isinstance(child.tag, str) or child.tag.removeprefix(NAMESPACE) not in KEPT:
            element.remove(child)
        else:
            _clean(child, name)
