"""Draws docs/performance.svg of the figures beside this file: shares of ceilings as bars."""

import json
import pathlib
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
WIDTH, LABEL, BAR, ROW = 760, 250, 400, 19


def figures(name):
    return json.loads((HERE / f"{name}.json").read_text())


def section(title, rows, lines, y):
    """Bars of shares; the line at the right stands for the ceiling."""
    lines.append(f'<text x="10" y="{y + 14}" class="title">{escape(title)}</text>')
    y += 24
    for label, share, told in rows:
        width = max(1, min(share, 1.15) * BAR)
        shade = "good" if share >= 0.8 else "fair"
        lines.append(f'<text x="{LABEL - 8}" y="{y + 13}" class="label">{escape(label)}</text>')
        lines.append(f'<rect x="{LABEL}" y="{y + 2}" width="{width:.0f}" height="{ROW - 5}" class="{shade}"/>')
        lines.append(f'<text x="{LABEL + width + 6:.0f}" y="{y + 13}">{escape(told)}</text>')
        y += ROW
    top = y - ROW * len(rows)
    lines.append(f'<line x1="{LABEL + BAR}" x2="{LABEL + BAR}" y1="{top}" y2="{y}"/>')
    return y + 12


def main():
    lines, y = [], 10
    stores = [row for row in figures("storage") if row["operation"] in ("get", "put", "batch", "list")]
    rows = [(f'{row["name"]}: {row["operation"]}', row["ratio"], f'{row["ratio"]:.2f}  ({row["ours"]:,.0f}/s)')
            for row in stores]
    y = section("Stores, as a share of the bare medium", rows, lines, y)
    served = [row for row in figures("http") if row["name"] == "larder"]
    rows = [(f'{row["operation"]}, {row["connections"]} connections', row["ratio"],
             f'{row["ratio"]:.2f}  ({row["rate"]:,.0f}/s)') for row in served]
    y = section("HTTP on memory, as a share of a minimal server", rows, lines, y)
    style = ("text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.label{text-anchor:end}"
             ".good{fill:#3a7d5c}.fair{fill:#c79a3b}line{stroke:#333;stroke-dasharray:3 3}")
    svg = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}">'
           f'<style>{style}</style><rect width="{WIDTH}" height="{y}" fill="#fff"/>\n'
           + "\n".join(lines) + "\n</svg>\n")
    (HERE.parent / "performance.svg").write_text(svg)


main()
