"""Pictures of the figures, drawn by gnuplot: SVG and PNG, beside the script they come from."""

import os
import shutil
import subprocess

BARS = """set multiplot layout %d,3 title "%s" font ",13"
set style fill solid 0.9 noborder
set boxwidth 0.7
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror out
set xtics rotate by -35 font ",9"
set yrange [*<0:*]
set offsets 0.6, 0.6, 0, 0
unset key
"""
PANEL = """$data << EOD
%s
EOD
set title "%s" font ",10"
set ylabel "%s" font ",10"
plot $data using 0:2:4:xtic(1) with boxes lc rgb variable, \\
     $data using 0:2:5:6 with yerrorbars lc rgb "#444444" pt 7 ps 0
"""
CURVES = """set multiplot layout 1,%d title "%s" font ",13"
set logscale x
set grid lc rgb "#dddddd"
set border 3
set tics nomirror out
set yrange [*<0:*]
unset key
"""
CURVE = """$data << EOD
%s
EOD
set title "%s" font ",10"
set xlabel "%s" font ",10"
set ylabel "%s" font ",10"
plot $data using 1:2 with lines lw 2 lc rgb "#c03030", \\
     $data using 1:2:3:4 with yerrorbars lc rgb "#c03030" pt 7
"""
COLOURS = {"sluss": 0xC03030, "floor": 0x999999}


def _bar_lines(row):
    lines = []
    for name, s in row.sums.items():
        median, low, high = (s[k] * row.work.scale for k in ("median", "p25", "p75"))
        lines.append("%s %g 0 %d %g %g" % (name, median, COLOURS.get(name, 0x5070A0), low, high))
    return "\n".join(lines)


def bars(rows, title):
    """The script of one panel of bars for each work."""
    return BARS % (-(-len(rows) // 3), title) + "".join(
        PANEL % (_bar_lines(row), row.work.title, row.work.unit) for row in rows)


def curves(rows, title):
    """The script of one panel for each row whose variants are numbers."""
    text = CURVES % (len(rows), title)
    for row in rows:
        lines = "\n".join("%s %s" % (x, " ".join("%g" % (s[k] * row.work.scale) for k in
                                                 ("median", "p25", "p75")))
                          for x, s in row.sums.items())
        text += CURVE % (lines, row.work.title, row.work.axis, row.work.unit)
    return text


def draw(folder, name, script, size):
    """Writes name.gp, name.svg and name.png; needs gnuplot."""
    heads = {"svg": "set terminal svg size %d,%d background rgb 'white' font 'sans,11'" % size,
             "png": "set terminal pngcairo size %d,%d font 'sans,11'" % size}
    with open(os.path.join(folder, name + ".gp"), "w") as f:
        f.write(script)
    for kind, head in heads.items():
        done = subprocess.run(["gnuplot"], cwd=folder, stderr=subprocess.PIPE, input=(
            "%s\nset output '%s.%s'\n%s" % (head, name, kind, script)).encode())
        if done.returncode != 0:
            raise RuntimeError("gnuplot: " + done.stderr.decode())


def write(folder, rows, drawn, about):
    """Draws what there is; returns a note when it cannot."""
    if shutil.which("gnuplot") is None:
        return "gnuplot is not installed: there are no pictures"
    rows, drawn = ([r for r in some if r.sums] for some in (rows, drawn))
    title = "%%s (%s, %s)" % (about["date"][:10], about["machine"].split(",")[0])
    try:
        if rows:
            draw(folder, "works", bars(rows, title % "CPU time of the tunnel, median and "
                                       "quartiles"), (1100, 380 * -(-len(rows) // 3)))
        if drawn:
            draw(folder, "growth", curves(drawn, title % "sluss: cost as work grows"),
                 (350 * len(drawn), 360))
    except RuntimeError as e:
        return str(e)
    return None
