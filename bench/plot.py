"""The figures as pictures: times of encoding and decoding, and how far each aim is."""
from math import ceil, floor, log10

from aims import AIMS, SETS, time_of
from figures import digits, summary

COLOURS = {"Hearth": "#c8501e", "floor": "#555", "floor with identity": "#999", "cjson": "#4f86a8",
           "MessagePack": "#a8b86a", "LuaJIT string.buffer": "#c9a23f"}
MET, NOT_MET = "#5b8c4a", "#c8501e"
WIDTH, RIGHT, TOP, BAR, GAP = 520, 90, 60, 11, 14


class Picture:
    """Rows of bars on a logarithmic scale from `least` to `most`, right of so much room for their labels."""

    def __init__(self, left, least, most, unit):
        self.left = left
        self.least, self.most, self.unit = floor(log10(least)), ceil(log10(most)), unit
        self.parts, self.y = [], TOP

    def x(self, value):
        """Where the value is."""
        return self.left + (log10(value) - self.least) / (self.most - self.least) * WIDTH

    def label(self, text, bars=1):
        """Beside the next bars."""
        self.parts.append(f'<text x="{self.left - 8}" y="{self.y + bars * (BAR + 1) / 2 + 4:.1f}" text-anchor="end">'
                          f'{text}</text>')

    def bar(self, figures, colour, text, start=None):
        """To the median, from the left or from `start`; the thin line is from quartile to quartile."""
        begin, end = sorted((self.x(start) if start else self.left, self.x(figures["median"])))
        low, high = self.x(figures["lowerQuartile"]), self.x(figures["upperQuartile"])
        middle = self.y + BAR / 2
        self.parts += [
            f'<rect x="{begin:.1f}" y="{self.y:.1f}" width="{end - begin:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="#222"/>',
            f'<text x="{max(high, end) + 5:.1f}" y="{self.y + BAR - 1.5:.1f}">{text}</text>']
        self.y += BAR + 1

    def svg(self, key):
        """All of it, with the scale and a key of colours."""
        ticks = [10 ** n for n in range(self.least, self.most + 1)]
        lines = [f'<line x1="{self.x(t):.1f}" x2="{self.x(t):.1f}" y1="{TOP - 8}" y2="{self.y}" stroke="#ddd"/>'
                 f'<text x="{self.x(t):.1f}" y="{TOP - 14}" text-anchor="middle">{t:g}{self.unit}</text>'
                 for t in ticks]
        names = [f'<rect x="{20 + i * 150}" y="10" width="12" height="12" fill="{colour}"/>'
                 f'<text x="{38 + i * 150}" y="20.5">{name}</text>' for i, (name, colour) in enumerate(key.items())]
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.left + WIDTH + RIGHT} {self.y + GAP}" '
            'font-family="sans-serif" font-size="12" fill="#333">', '<rect width="100%" height="100%" fill="#fff"/>',
            *names, *lines, *self.parts, "</svg>", ""])


def codec(result):
    """Milliseconds of each contestant for each data set; None if they were not measured."""
    rows = [(f"{what} {name}", result["rows"].get(f"{what} {name}")) for what in ("encode", "decode") for name in SETS]
    rows = [(row, {name: summary([ns / 1e6 for ns in figures[time_of(row)]]) for name, figures in found.items()})
            for row, found in rows if found]
    if not rows:
        return None
    every = [figures for _, found in rows for figures in found.values()]
    picture = Picture(330, min(f["lowerQuartile"] for f in every), max(f["upperQuartile"] for f in every), " ms")
    for row, found in rows:
        picture.label(row.replace("_", " "), len(found))
        for name, figures in found.items():
            picture.bar(figures, COLOURS[name], f"{digits(figures['median'])} ms")
        picture.y += GAP
    return picture.svg(COLOURS)


def distances(result):
    """How many times the bound of its aim each ratio is: left of 1 the aim is met."""
    found = []
    for _, aims in AIMS:
        for aim in aims:
            figures = aim.ratio(result["rows"]) if aim.bound is not None else None
            if not figures or figures["lowerQuartile"] <= 0:
                continue
            scaled = {key: aim.bound / figures[key] if aim.at_least else figures[key] / aim.bound
                      for key in ("median", "lowerQuartile", "upperQuartile")}
            found.append((aim, figures["median"], scaled))
    if not found:
        return None
    every = [value for _, _, scaled in found for value in scaled.values()]
    picture = Picture(520, min(0.1, *every), max(10, *every), " x")
    for aim, median, scaled in found:
        picture.label(aim.what.replace("_", " "))
        text = f"{digits(median)}, aim {'&gt;=' if aim.at_least else '&lt;='} {aim.bound:g}"
        low, high = sorted((scaled["lowerQuartile"], scaled["upperQuartile"]))
        picture.bar({"median": scaled["median"], "lowerQuartile": low, "upperQuartile": high},
                    MET if aim.met(median) else NOT_MET, text, 1)
        picture.y += 3
    return picture.svg({"met": MET, "not met": NOT_MET})
