"""Plots of a run, as SVG: latency against size, and throughput against the footprint of the ring."""

import statistics

try:
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None

from cases import name_of

PRODUCT = "tensorpool"


def points(results):
    """{plot: {name: [(x, value)]}}; the value is bytes per second for a throughput, else microseconds."""
    plots = {}
    for case in results["cases"]:
        if not case["plot"]:
            continue
        title, x = case["plot"]
        figure, scale = ("bytes_per_second", 2**-30) if title.startswith("throughput") else ("p50", 1e-3)
        for name, rounds in case["figures"].items():
            values = [figures[figure] * scale for figures in rounds if figure in figures]
            if values:
                lines = plots.setdefault(title, {})
                lines.setdefault(PRODUCT if name == "subject" else name, []).append((x, statistics.median(values)))
    return plots


def draw(results, directory):
    """Writes one SVG file per plot; returns their paths, or none where there is no matplotlib."""
    if pyplot is None:
        return []
    written = []
    for title, lines in points(results).items():
        throughput = title.startswith("throughput")
        figure, axes = pyplot.subplots(figsize=(7, 4.5))
        for name, line in sorted(lines.items(), key=lambda item: item[0] != PRODUCT):
            axes.plot(*zip(*sorted(line)), marker="o", markersize=4, label=name, linewidth=2.2 if name == PRODUCT else 1.2)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda x, _: name_of(round(x)))
        if throughput:
            axes.set_ylim(bottom=0)
        else:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
            axes.yaxis.set_minor_formatter(lambda y, _: f"{y:g}" if f"{y:e}"[0] in "25" else "")
        axes.set_title(title)
        axes.set_xlabel("footprint of the ring" if throughput else "payload")
        axes.set_ylabel("GiB/s" if throughput else "p50, µs")
        axes.grid(True, which="major", linewidth=0.4)
        axes.legend()
        path = directory / (title.replace(",", "").replace(" ", "_") + ".svg")
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
        written.append(path)
    return written
