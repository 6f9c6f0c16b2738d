"""How a report looks on a screen and on paper, and the few lines that sort its tables."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #14161c; --soft: #5a6070; --line: #dcdfe6; --band: #f5f6f8;
  --link: #1f6fb5; --gain: #1a62a1; --harm: #b04b05;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --text: #eceef2; --soft: #a5adbb; --line: #333947; --band: #1b1f28;
    --link: #6db3ea; --gain: #6db3ea; --harm: #f0954a;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 88rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
}
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 {
  font-size: 1.45rem; margin: 3rem 0 .5rem; padding-top: .75rem;
  border-top: 1px solid var(--line);
}
h3 { font-size: 1.05rem; margin: 0 0 .5rem; }
a { color: var(--link); }
.lead, .notes, .about dt { color: var(--soft); }
.lead { margin: 0 0 1.5rem; overflow-wrap: anywhere; }
nav ul { columns: 16rem; padding-left: 1.2rem; margin: .25rem 0; }
nav li li { font-size: .9rem; }
nav > ul > li { break-inside: avoid; }
.about dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.25rem; margin: 0; }
.about dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 1.75rem 0; }
figcaption { font-size: .875rem; margin-top: .5rem; max-width: 60rem; }
figcaption p { margin: .3rem 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
.long .scroll { max-height: 80vh; overflow-y: auto; }
.long thead th { position: sticky; top: 0; z-index: 1; }
.scroll:focus-visible { outline: 2px solid var(--link); }
table {
  border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums;
  min-width: 100%;
}
caption { text-align: left; font-weight: 600; padding: .6rem .5rem; font-size: 1rem; }
th, td { padding: .3rem .5rem; text-align: left; vertical-align: top; white-space: nowrap; }
thead th {
  border-block: 1px solid var(--line); background: var(--band); font-weight: 600;
  vertical-align: bottom;
}
thead th[title] { text-decoration: underline dotted var(--soft); text-underline-offset: 3px; }
tbody th { font-weight: 500; position: sticky; left: 0; background: var(--page); }
tbody tr:nth-child(even) > * { background: var(--band); }
.figure { text-align: right; }
.prose { white-space: normal; min-width: 12rem; }
.gain { color: var(--gain); }
.harm { color: var(--harm); }
.none { color: var(--soft); font-style: italic; }
sup { line-height: 0; margin-left: 1px; }
td code { white-space: nowrap; }
code { font: .9em ui-monospace, "DejaVu Sans Mono", monospace; }
pre {
  overflow-x: auto; padding: .5rem .75rem; background: var(--band); border-radius: 6px;
  margin: .4rem 0;
}
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--link); }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
.chart .card {
  background: #ffffff; border: 1px solid var(--line); border-radius: 6px; padding: .75rem;
  overflow-x: auto;
}
.chart svg { display: block; width: 100%; height: auto; margin: 0 auto; }
.failed { color: #8a2f00; margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1rem .75rem 3rem; }
  h1 { font-size: 1.5rem; }
  nav li ul { display: none; }
  .about dl { grid-template-columns: 1fr; gap: 0; }
  .about dd { margin-bottom: .6rem; }
}
@media print {
  :root {
    --page: #fff; --text: #000; --soft: #444; --line: #bbb; --band: #f4f4f4; --link: #000;
    --gain: #1a62a1; --harm: #b04b05;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll, .chart .card, pre { overflow: visible !important; border: 0; padding: 0; }
  .long .scroll { max-height: none; }
  .long thead th { position: static; }
  pre { white-space: pre-wrap; }
  table { font-size: 7.5pt; }
  th, td { padding: .15rem .3rem; }
  .chart svg { min-width: 0 !important; }
  .chart, tr { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  thead { display: table-header-group; }
  tbody th { position: static; }
}
"""

SCRIPT = """
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.onclick = () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const read = row => {
        const text = row.cells[column].textContent.trim();
        const digits = text.replace(/^< |,/g, "").replace("\\u2212", "-");
        return {text, number: parseFloat(digits)};
      };
      const sign = up ? 1 : -1;
      const rows = [...body.rows].map(row => ({row, ...read(row)}));
      const numbers = head.classList.contains("figure");
      rows.sort((a, b) => {
        if (!numbers) return sign * a.text.localeCompare(b.text, "en", {numeric: true});
        if (isNaN(a.number) || isNaN(b.number)) return isNaN(a.number) - isNaN(b.number);
        return sign * (a.number - b.number);
      });
      body.append(...rows.map(({row}) => row));
    };
  });
}
"""
"""Numbers by size with what is empty last, words by letter; without it the tables stay as they
are."""
