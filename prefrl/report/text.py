"""Numbers and strings as a reader wants them; everything that comes out of here is safe in HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

MISSING = "\N{EN DASH}"


def escape(value: object) -> str:
    """Text that cannot be read as markup, inside an element or an attribute."""
    return html.escape(str(value), quote=True)


def number(value: object) -> str:
    """Three digits that count, thousands apart: 2,346, 87.3, 0.931, −4.12; a dash for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return MISSING
    if isinstance(value, int) or abs(value) >= 100:
        shown = f"{value:,.0f}"
    else:
        places = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
        shown = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if shown == "-0" else shown.replace("-", "\N{MINUS SIGN}")


def percent(share: object) -> str:
    """0.873 as 87.3 %."""
    return f"{number(100 * share)} %" if isinstance(share, int | float) and math.isfinite(share) else MISSING


def duration(seconds: object) -> str:
    """Seconds as the two units that matter: 42 s, 12 min 5 s, 3 h 20 min."""
    if not isinstance(seconds, int | float) or not math.isfinite(seconds):
        return MISSING
    whole = round(seconds)
    if whole < 60:
        return f"{number(round(float(seconds), 1))} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def file_size(size: int) -> str:
    """Bytes as B, kB or MB."""
    if size < 1000:
        return f"{size} B"
    return f"{size / 1000:.0f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"


def section(title: str, lead: str, *parts: str, id: str) -> str:
    """A section of the page; `parts` are HTML, and without any there is no section."""
    body = "\n".join(part for part in parts if part)
    lead = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{id}"><h2>{escape(title)}</h2>{lead}\n{body}\n</section>' if body else ""


def table(rows: Iterable[tuple[object, object]]) -> str:
    """Two columns, name and value; both are escaped."""
    cells = (f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    return f'<div class="scroll"><table>{"".join(cells)}</table></div>'
