"""The middle of repeated measurements, and how far they spread."""


def quantile(ordered, part):
    """The value below which the part (0 to 1) of the sorted samples lies, interpolated."""
    at = (len(ordered) - 1) * part
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def summary(samples):
    """Of at least one sample."""
    ordered = sorted(samples)
    return {"rounds": len(ordered), "min": ordered[0], "lowerQuartile": quantile(ordered, 0.25),
            "median": quantile(ordered, 0.5), "upperQuartile": quantile(ordered, 0.75), "max": ordered[-1]}


def ratio(ours, theirs):
    """Of each round by itself: what else the machine does changes from round to round and less within one."""
    return summary([a / b for a, b in zip(ours, theirs)])


def digits(number):
    """Three figures that count."""
    for least, places in ((100, 0), (10, 1), (1, 2)):
        if abs(number) >= least:
            return f"{number:.{places}f}"
    return f"{number:.3f}"


def spread(figures, scale=1):
    """**median** (quartiles)."""
    median, lower, upper = (digits(figures[key] * scale) for key in ("median", "lowerQuartile", "upperQuartile"))
    return f"**{median}** ({lower} to {upper})"
