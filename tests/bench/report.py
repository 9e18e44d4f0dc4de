"""Medians beside their least and greatest, the ratio to p2p, and the raw figures as TSV."""

import os
import statistics


def spread(values, digits):
    """median (least..greatest)"""
    if not values:
        return "-"
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f}..{max(values):.{digits}f})"
    return text


def ratio(values, base):
    if not values or not base or not statistics.median(base):
        return "-"
    return f"{statistics.median(values) / statistics.median(base):.2f}"


def table(title, head, rows):
    rows = [head] + rows
    widths = [max(len(r[i]) for r in rows) for i in range(len(head))]
    print(f"\n{title}")
    for r in rows:
        print("  " + "  ".join([r[0].ljust(widths[0])]
                               + [c.rjust(w) for c, w in zip(r[1:], widths[1:])]).rstrip())


def tsv(path, head, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        for r in [head] + rows:
            f.write("\t".join(str(c) for c in r) + "\n")
