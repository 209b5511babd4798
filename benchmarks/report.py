"""The results as text for people, and as the tables of docs/benchmarks.md."""


def scaled(value, steps):
    for limit, unit in steps:
        if abs(value) >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.3g} {steps[-1][1]}"


def quantity(value, unit):
    if unit == "ns":
        return scaled(value, ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")))
    if unit == "B/s":
        return scaled(value, ((2**30, "GiB/s"), (2**20, "MiB/s"), (1, "B/s")))
    if unit == "/s":
        return f"{value:,.0f}/s"
    if unit == "%":
        return f"{value:.2f} %"
    if unit == "" and value == int(value):
        return f"{int(value):,}"
    return f"{value:.4g} {unit}".strip()


def in_unit(value, row):
    return f"{value:.2f} ×" if row["compare"] == "ratio" else quantity(value, row["unit"])


def bar_of(row):
    if "bar" not in row:
        return ""
    sign, limit = row["bar"].split()
    return f"{'≤' if sign == '<=' else '≥'} {in_unit(float(limit), row)}"


def cells(case, row):
    """case, figure, subject, baseline, result with its spread, bar, verdict."""
    figure = case["case"] + ("" if row["figure"] == "p50" else f": {row['figure'].replace('_', ' ')}")
    subject = quantity(row["subject"], row["unit"]) if "subject" in row else ""
    baseline = row["against"] + (f" {quantity(row['baseline'], row['unit'])}" if "baseline" in row else "")
    if row.get("note", "").startswith(f"{row['against']} "):
        baseline = row["note"].split(":")[0]  # "iceoryx not built", "iceoryx failed"
    result = ""
    if "result" in row:
        result = in_unit(row["result"], row)
        if case["rounds"] > 2:
            result += f" [{in_unit(row['p10'], row).split()[0]} .. {in_unit(row['p90'], row)}]"
    if row["compare"] == "value":
        baseline, result = "", result if case["rounds"] > 2 else ""
    verdict = {True: "met", False: "NOT MET"}.get(row.get("met"), "")
    if "note" in row:
        verdict = "not shown" if "bar" in row else ""
    return [figure, subject, baseline, result, bar_of(row), verdict]


HEAD = ["case", "tensorpool", "baseline", "compared [p10 .. p90]", "bar", ""]


def table(results):
    lines = [HEAD] + [cells(case, row) for case in results["cases"] for row in case["rows"]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return [" | ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]


def notes(results):
    found = {}
    for case in results["cases"]:
        for row in case["rows"]:
            if "note" in row:
                found.setdefault(row["note"], []).append(case["case"])
    return [f"{note} ({names[0]}{f' and {len(set(names)) - 1} more' if len(set(names)) > 1 else ''})" for note, names in found.items()]


def facts(results):
    machine, build = results["machine"], results["build"]
    caches = ", ".join(f"{name} {size}" for name, size in machine["caches"].items())
    return [
        f"machine: {machine['cpu']}, {machine['cores']} cores, {caches}, {machine['memory_gib']} GiB, kernel {machine['kernel']}, "
        f"clock {machine['clocksource']}",
        f"build:   {build['commit']}, {build['compiler']}, {build['build_type']} {build['flags']}",
        f"run:     {results['settings']['kind']}, {results['seconds']:.0f} s; load before it {machine['load_at_start']:.2f}, "
        f"stolen {100 * results['shares']['steal']:.1f} %",
    ]


def verdicts(results):
    rows = [row for case in results["cases"] for row in case["rows"] if "bar" in row]
    met, missed = (sum(row.get("met") is verdict for row in rows) for verdict in (True, False))
    return f"bars: {met} met, {missed} not met, {len(rows) - met - missed} not shown"


def text(results):
    return "\n".join([*facts(results), "", *table(results), "", *notes(results), verdicts(results)])


def markdown(results):
    """The same as Markdown, for docs/benchmarks.md."""
    lines = ["```", *facts(results), "```", "", "| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(cells(case, row)) + " |" for case in results["cases"] for row in case["rows"]]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(results)), "", verdicts(results)])
