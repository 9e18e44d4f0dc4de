"""The figures as tables to read: a line a client, a column a metric."""


def number(v):
    """Three digits, for a reader."""
    if v == 0:
        return "0"
    if abs(v) >= 100:
        return f"{v:.0f}"
    return f"{v:.1f}" if abs(v) >= 10 else f"{v:.2f}" if abs(v) >= 1 else f"{v:.3f}"


def cell(row):
    text = number(row.median)
    if row.n > 1 and number(row.least) != number(row.most):
        text += f" ({number(row.least)}–{number(row.most)})"
    if row.ratio is not None and row.client != "p2p":
        text += f" ×{number(row.ratio)}"
    return text


def _columns(rows):
    return list(dict.fromkeys((r.metric, r.unit) for r in rows if r.n))


def _lines(rows):
    """Of one experiment: header, lines, notes."""
    columns = _columns(rows)
    by = {(r.client, r.metric): r for r in rows}
    clients = dict.fromkeys(r.client for r in rows)
    head = [""] + [f"{m} {u}".strip() for m, u in columns]
    body = [[c] + [cell(by[c, m]) if (c, m) in by else "" for m, _ in columns]
            for c in clients if any((c, m) in by for m, _ in columns)]
    notes = dict.fromkeys((r.client, r.note) for r in rows if r.note)
    return head, body, notes


def experiments(rows):
    """experiment -> its rows, in order"""
    out = {}
    for r in rows:
        out.setdefault(r.experiment, []).append(r)
    return out


def text(rows):
    out = []
    for name, of in experiments(rows).items():
        head, body, notes = _lines(of)
        all_ = [head] + body
        widths = [max(len(r[i]) for r in all_) for i in range(len(head))]
        out.append(f"\n{name}")
        if body:
            out += ["  " + "  ".join([r[0].ljust(widths[0])] + [
                c.rjust(w) for c, w in zip(r[1:], widths[1:])]).rstrip() for r in all_]
        out += [f"  {client}: {note}" for client, note in notes]
    return "\n".join(out)


def markdown(parts, versions):
    """parts: [(about, rows)] of the experiment files."""
    out = ["# Side by side: figures", "",
           "Written by `make bench` (`tests/bench/README.md` tells what each experiment is). "
           "Medians (least–greatest) ×ratio to ours. All ran in one network namespace with the "
           "content in memory; only the ratios matter.", "",
           "Versions: " + ", ".join(f"{n} {v}" for n, v in versions) + ".", "",
           "![plots](plots.svg)", ""]
    for about, rows in parts:
        out += [f"*{about}*", ""]
        for name, of in experiments(rows).items():
            head, body, notes = _lines(of)
            out += [f"### {name}", ""]
            if body:
                out += ["| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head)] + body]
                out.append("")
            out += [f"- {client}: {note}" for client, note in notes] + ([""] if notes else [])
    return "\n".join(out)
