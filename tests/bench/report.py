"""From samples to medians, the table and the files."""

import csv
import json
import os


def quantile(values, part):
    values = sorted(values)
    at = part * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (at - low)


def summary(samples, key="value"):
    """Median and quartiles of a list of samples."""
    values = [s[key] for s in samples if key in s]
    if not values:
        return None
    return {"median": quantile(values, 0.5), "p25": quantile(values, 0.25),
            "p75": quantile(values, 0.75), "n": len(values)}


class Row:
    """A work's figures of all tunnels, and what follows from them."""

    def __init__(self, work, samples):
        self.work = work
        self.samples = {k: v for k, v in samples.items() if v}
        self.sums = {k: summary(v) for k, v in self.samples.items()}
        self.ours = self.sums.get("sluss")
        self.floor = self.sums.get("floor")
        peers = {k: s for k, s in self.sums.items() if k not in ("sluss", "floor")}
        self.best = min(peers, key=lambda k: peers[k]["median"]) if peers else None

    def number(self, s):
        return "%.*f" % (self.work.digits, s["median"] * self.work.scale)

    def ratio(self, name):
        other = self.sums.get(name)
        if not other or not self.ours or not other["median"]:
            return None
        return self.ours["median"] / other["median"]

    def verdict(self):
        if self.work.absolute:
            figure = self.ours and self.ours["median"] * self.work.scale
        else:
            figure = self.ratio(self.best)
        return verdict(figure, self.work.target, self.work.stretch)


class Finding:
    """What an experiment found: a figure, what it is compared with, and the target."""

    def __init__(self, title, figure, other, unit, ratio, target, stretch=None):
        self.title, self.figure, self.other, self.unit = title, figure, other, unit
        self.ratio, self.target = ratio, target
        self.verdict = verdict(ratio, target, stretch)


def verdict(figure, target, stretch):
    """How a figure, the lower the better, stands to its targets."""
    if figure is None or target is None:
        return "-"
    if stretch and figure <= stretch:
        return "stretch"
    return "met" if figure <= target else "MISSED"


def columns(lines):
    """Lines of cells, aligned: the first to the left, the others to the right."""
    widths = [max(len(l[i]) for l in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(c.ljust(w) if i == 0 else c.rjust(w)
                               for i, (c, w) in enumerate(zip(l, widths))).rstrip()
                     for l in lines)


def ratio_text(r):
    return "-" if r is None else "%.2f" % r


def ratios(rows):
    """The table of targets."""
    lines = [["work", "unit", "sluss", "best peer", "", "ratio", "target", "", "floor",
              "to floor"]]
    for row in rows:
        best = row.sums.get(row.best)
        lines.append([row.work.title, row.work.unit, row.number(row.ours) if row.ours else "-",
                      row.number(best) if best else "-", row.best or "-",
                      ratio_text(row.ratio(row.best)),
                      target_text(row.work), row.verdict(),
                      row.number(row.floor) if row.floor else "-",
                      ratio_text(row.ratio("floor"))])
    return columns(lines)


def tails(rows):
    """A finding for each work whose latency counts: p99 beside that of the best peer."""
    findings = []
    for row in rows:
        ours, best = (summary(row.samples.get(n, []), "p99") for n in ("sluss", row.best))
        if row.work.latency and ours and best:
            findings.append(Finding("p99 of %s, and %s's" % (row.work.title, row.best),
                                    "%.0f" % ours["median"], "%.0f" % best["median"], "µs",
                                    ours["median"] / best["median"], 1.00))
    return findings


def target_text(work):
    if work.target is None:
        return "-"
    return "%g %s" % (work.target, work.unit) if work.absolute else "%.2f" % work.target


def found(findings):
    """The table of what the experiments found."""
    if not findings:
        return ""
    lines = [["further", "figure", "against", "unit", "ratio", "target", ""]]
    for f in findings:
        lines.append([f.title, f.figure, f.other, f.unit, ratio_text(f.ratio),
                      ratio_text(f.target), f.verdict])
    return columns(lines)


def spread(row, name):
    s = row.sums.get(name)
    if not s:
        return "-"
    scaled = [s[k] * row.work.scale for k in ("median", "p25", "p75")]
    return "%.*f (%.*f-%.*f)" % tuple(x for v in scaled for x in (row.work.digits, v))


def everyone(rows, names):
    """The table of all medians, with quartiles."""
    lines = [["CPU time, median (quartiles)"] + names]
    for row in rows:
        lines.append(["%s, %s" % (row.work.name, row.work.unit)] +
                     [spread(row, n) for n in names])
    return columns(lines)


def latencies(rows, names):
    """Latencies as the client saw them."""
    lines = [["latency in µs, median of p50 / p99"] + names]
    for row in rows:
        cells = []
        for n in names:
            both = [summary(row.samples.get(n, []), k) for k in ("p50", "p99")]
            cells.append("%.0f / %.0f" % tuple(s["median"] for s in both) if all(both) else "-")
        if any(c != "-" for c in cells):
            lines.append([row.work.name] + cells)
    return columns(lines) if len(lines) > 1 else ""


def write_csv(path, rows):
    with open(path, "w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["work", "variant", "round", "value", "unit", "p50_us", "p99_us", "seconds"])
        for row in rows:
            for name, samples in row.samples.items():
                for i, s in enumerate(samples):
                    out.writerow([row.work.name, name, i, "%.6g" % (s["value"] * row.work.scale),
                                  row.work.unit] +
                                 [s.get(k, "") for k in ("p50", "p99", "seconds")])


def write_json(path, rows, about):
    works = {row.work.name: {"title": row.work.title, "unit": row.work.unit,
                             "scale": row.work.scale, "target": row.work.target,
                             "stretch": row.work.stretch, "best_peer": row.best,
                             "ratio": row.ratio(row.best), "ratio_to_floor": row.ratio("floor"),
                             "samples": row.samples} for row in rows}
    with open(path, "w") as f:
        json.dump(dict(about, works=works), f, indent=1)
        f.write("\n")


def variants(rows):
    """The experiments' medians, with quartiles."""
    lines = ["%s, %s: %s" % (row.work.title, row.work.unit, ", ".join(
        "%s: %s" % (k, spread(row, k)) for k in row.sums)) for row in rows]
    return "\n".join(["sluss against itself, median (quartiles)"] + lines) if lines else ""


def text(rows, names, about, notes, experiments, findings):
    """All that is printed at the end."""
    head = ["sluss and its peers, %s" % about["date"], about["machine"],
            "load average %.1f before, %.1f after; %d rounds" % (
                about["load_before"], about["load_after"], about["rounds"])]
    head += ["  %-8s %s" % (n, about["versions"][n]) for n in about["versions"]]
    parts = ["\n".join(head)]
    if rows:
        parts += [ratios(rows), everyone(rows, names), latencies(rows, names)]
    parts += [found(findings), variants(experiments)]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(p for p in parts if p) + "\n"


def write(folder, rows, names, about, notes, experiments, findings):
    """Writes the files; returns the table."""
    os.makedirs(folder, exist_ok=True)
    table = text(rows, names, about, notes, experiments, findings)
    with open(os.path.join(folder, "table.txt"), "w") as f:
        f.write(table)
    write_csv(os.path.join(folder, "samples.csv"), rows + experiments)
    about = dict(about, notes=notes, findings=[vars(f) for f in findings])
    write_json(os.path.join(folder, "results.json"), rows + experiments, about)
    return table
