"""The figures as a page of plots: a panel for each experiment and metric, a bar for each client,
a thin line from the least to the greatest. SVG written by hand."""

from html import escape

from table import experiments, number

CHAPTERS = (
    ("Throughput (more is better)", ("flow", "rate")),
    ("Time (less is better)", ("time", "ready")),
    ("CPU (less is better)", ("cpu", "idle cpu")),
    ("Memory that is really held (less is better)", ("leech anon", "seed anon", "anon")),
    ("The crowd: distance to the bound (1 is best)", ("last / bound", "copies")),
)
WIDE, LEFT, BAR, GAP, COLUMNS = 430, 150, 15, 26, 2
OURS, OTHER, INK, PALE = "#c2410c", "#64748b", "#1e293b", "#94a3b8"


def _text(x, y, words, size=11, anchor="start", colour=INK, weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}" font-weight="{weight}">{escape(words)}</text>')


def _panel(x, y, title, rows):
    """Its SVG and its height."""
    most = max(r.most for r in rows) or 1
    room = WIDE - LEFT - 70
    out = [_text(x, y + 12, title, 12, weight="bold")]
    y += 20
    for r in rows:
        length, low, high = (room * v / most for v in (r.median, r.least, r.most))
        mid = y + BAR / 2 - 1
        colour = OURS if r.client.startswith("p2p") else OTHER
        out.append(_text(x + LEFT - 6, y + 11, r.client, anchor="end"))
        out.append(f'<rect x="{x + LEFT}" y="{y}" width="{max(length, 0.5):.1f}" '
                   f'height="{BAR - 3}" fill="{colour}"/>')
        if r.n > 1:
            out.append(f'<path d="M{x + LEFT + low:.1f} {mid:.1f}H{x + LEFT + high:.1f}" '
                       f'stroke="{INK}" stroke-width="1.5"/>')
        out.append(_text(x + LEFT + max(length, high) + 5, y + 11, number(r.median)))
        y += BAR
    return out, 20 + BAR * len(rows)


def _panels(rows, metrics):
    for name, of in experiments(rows).items():
        for metric in metrics:
            here = [r for r in of if r.metric == metric and r.n]
            if len(here) > 1 and not ("'s" in name and metric == "cpu"):    # much the same
                unit = f", {here[0].unit}" if here[0].unit else ""
                yield f"{name}: {metric}{unit}", here
                if metric == "flow":
                    break    # the rate says much the same


def page(rows, about):
    out, y = [], 34
    for title, metrics in CHAPTERS:
        panels = list(_panels(rows, metrics))
        if not panels:
            continue
        y += 20
        out.append(_text(20, y, title, 16, weight="bold"))
        y += 14
        for i in range(0, len(panels), COLUMNS):
            tall = 0
            for j, (name, here) in enumerate(panels[i:i + COLUMNS]):
                svg, height = _panel(20 + j * (WIDE + 20), y, name, here)
                out += svg
                tall = max(tall, height)
            y += tall + GAP
    wide = 20 + COLUMNS * (WIDE + 20)
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{y}" '
            f'viewBox="0 0 {wide} {y}" font-family="sans-serif">',
            f'<rect width="{wide}" height="{y}" fill="#ffffff"/>', _text(20, 26, about, colour=PALE)]
    return "\n".join(head + out + ["</svg>", ""])
