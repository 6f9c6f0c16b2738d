"""Papers as a method cites them, with a link where the text holds an identifier."""

from __future__ import annotations

import re
from urllib.parse import quote

from dashboard.words import plain

_FORMS = (
    (re.compile(r"\b(\d{2}(?:0[1-9]|1[0-2])\.\d{4,5})(?:v\d+)?\b"), "https://arxiv.org/abs/"),
    (re.compile(r"\b(10\.\d{4,9}/[^\s\"'<>\[\]{}|\\^`]*[\w)])"), "https://doi.org/"),
    (re.compile(r"\bopenreview (\w{8,12})\b"), "https://openreview.net/forum?id="),
)


def paper_address(text: str) -> str:
    """Where a paper is, from an arXiv, DOI or OpenReview identifier in its citation; or empty."""
    for form, site in _FORMS:
        found = form.search(text)
        if found:
            return site + quote(found.group(1), safe="/.")
    return ""


def paper_markdown(text: str) -> str:
    """The citation as text, and a link if there is one."""
    address = paper_address(text)
    return f"[{plain(text)}]({address})" if address else plain(text)
