"""The tables of docs/BENCHMARKS.md, from what run.py wrote."""
from aims import AIMS, time_of
from figures import digits, spread, summary


def table(head, rows):
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def bound_of(aim):
    """The aim, and whether it is met."""
    if aim.bound is None:
        return ""
    return f"{'at least' if aim.at_least else 'at most'} {aim.bound:g}"


def aims_table(title, aims, result):
    """Ratios beside what is aimed at; the ratio of instructions beside that of times."""
    rows = []
    for aim in aims:
        figures = aim.ratio(result["rows"])
        if figures is None:
            continue
        counted = aim.ratio(result["instructions"], "instructions") if aim.timed else None
        verdict = "" if aim.bound is None else "met" if aim.met(figures["median"]) else "**not met**"
        rows.append([aim.what, spread(figures) if figures["rounds"] > 1 else f"**{digits(figures['median'])}**",
                     digits(counted["median"]) if counted else "", bound_of(aim), verdict])
    return f"#### {title}\n\n" + table(["ratio", "measured", "in instructions", "aim", ""], rows)


TIMES = ("ns", "cpu")


def figures_table(result):
    """Every row and contestant."""
    rows = []
    for row, contestants in result["rows"].items():
        for contestant, figures in contestants.items():
            times = figures.get(time_of(row))
            others = [f"{name} {summary(figures[name])['median']:.0f}" for name in figures if name not in TIMES]
            count = result["instructions"].get(row, {}).get(contestant)
            timed = [str(len(times)), spread(summary(times), 1e-6)] if times else ["", ""]
            rows.append([row, contestant, *timed, ", ".join(others),
                         f"{count['instructions'][0] / 1e6:.2f}" if count else ""])
    return table(["row", "contestant", "rounds", "ms", "other figures", "million instructions"], rows)


def heading(result):
    """When, where, and how busy."""
    machine = result["machine"]
    load = f"load {result['loadBefore'][0]:.1f} before, {result['loadAfter'][0]:.1f} after"
    return (f"{result['date'][:10]}, revision {result['revision']}, {machine['processors']} x {machine['processor']}, "
            f"{load}, {result['seconds']:.0f} s.\nRatios and times: **median** (quartiles); a ratio is that of each "
            f"round by itself.")


def report(result):
    """All of it."""
    return "\n\n".join([heading(result), *(aims_table(title, aims, result) for title, aims in AIMS),
                        "#### All figures", figures_table(result)])


def compared(ours, theirs, name):
    """One line of two revisions: both, their ratio, and whether it became worse beyond its spread."""
    change = summary([a / b if b else 1 for a, b in zip(ours, theirs)])
    timed = name in TIMES
    scale, least = (1e-6, 1.03) if timed else (1, 1)
    worse = change["lowerQuartile"] > 1 and change["median"] > least
    better = change["upperQuartile"] < 1 and change["median"] < 1 / least
    return ["ms" if timed else name, digits(summary(theirs)["median"] * scale), digits(summary(ours)["median"] * scale),
            spread(change), "**worse**" if worse else "better" if better else ""]


def comparison(result, there):
    """Two revisions side by side."""
    rows = []
    for row, contestants in result["rows"].items():
        for contestant, figures in contestants.items():
            other = contestants.get(f"{contestant} @ {there}")
            for name in figures if other else ():
                if name not in TIMES or name == time_of(row):
                    rows.append([row, contestant, *compared(figures[name], other[name], name)])
    return heading(result) + "\n\n" + table(["row", "contestant", "figure", there, "here", "here / there", ""], rows)
