"""What is aimed at, row by row."""
from figures import ratio, summary

DISK = ("one change", "durable", "open")  # rows that wait for one: there a clock counts, else the processor's time

SETS = ["integers", "floats", "records", "strings", "long_strings", "graph", "document"]
SIZES = ["10 thousand", "100 thousand", "1 million"]
COUNTS = {"10 thousand": 10_000, "100 thousand": 100_000, "1 million": 1_000_000}


def time_of(row):
    """Which figure of the row's is its time."""
    return "ns" if row.startswith(DISK) else "cpu"


class Aim:
    """A ratio of two contestants' figures, and its bound."""

    def __init__(self, what, row, ours, theirs, bound, at_least=False, figure=None, less=None):
        self.what, self.row, self.ours, self.theirs = what, row, ours, theirs
        self.bound, self.at_least, self.less = bound, at_least, less
        self.timed, self.figure = figure is None, figure or time_of(row)

    def rows(self):
        """The rows that it needs."""
        return [self.row]

    def ratio(self, result, figure=None):
        """Its summary, or None where one of the two was not measured."""
        contestants, figure = result.get(self.row, {}), figure or self.figure
        if self.ours not in contestants or self.theirs not in contestants:
            return None
        ours, theirs = contestants[self.ours][figure], contestants[self.theirs][figure]
        if self.less:  # what the loop around costs
            loop = contestants[self.less][figure]
            ours, theirs = ([a - b for a, b in zip(figures, loop)] for figures in (ours, theirs))
        return ratio(theirs, ours) if self.at_least else ratio(ours, theirs)

    def met(self, median):
        """Is it?"""
        return self.bound is None or (median >= self.bound if self.at_least else median <= self.bound)


class Memory(Aim):
    """What was used at the most, beside what must be there."""

    def __init__(self, what, row, needed):
        super().__init__(what, row, "Hearth", "Hearth", 1, figure="peak")
        self.needed = needed

    def ratio(self, result, figure=None):
        figures = result.get(self.row, {}).get("Hearth")
        return figures and summary([figures["peak"][0] / self.needed({key: f[0] for key, f in figures.items()})])


class Growth(Aim):
    """The time of an entry at one size, beside that at a smaller one."""

    def __init__(self, group, contestant, small, large, bound, constant=False):
        super().__init__(f"{group}, {contestant}: {large} beside {small}", f"{group}, {large}", contestant, contestant,
                         bound)
        self.small_row, self.scale = f"{group}, {small}", 1 if constant else COUNTS[large] // COUNTS[small]

    def rows(self):
        return [self.row, self.small_row]

    def ratio(self, result, figure=None):
        large, small = (result.get(row, {}).get(self.ours) for row in self.rows())
        if not large or not small:
            return None
        figure = figure or self.figure
        return ratio(large[figure], [time * self.scale for time in small[figure]])


OTHERS = {"cjson": "cjson", "MessagePack": "lua-messagepack", "LuaJIT string.buffer": "LuaJIT"}


def beside_others(what, name, bounds):
    """How many times as fast as each peer; `bounds`: where that is aimed at."""
    for contestant, called in OTHERS.items():
        yield Aim(f"{what} {name}, times {called}'s speed", f"{what} {name}", "Hearth", contestant,
                  bounds.get((contestant, name)), True)


class GrowthBeside(Growth):
    """The same, beside the growth of another contestant, which meets the same memory."""

    def __init__(self, group, other, small, large):
        super().__init__(group, "Hearth", small, large, 1.15)
        self.what, self.other = f"{group}, {large} beside {small}, beside the {other}'s growth", other

    def ratio(self, result, figure=None):
        large, small = (result.get(row, {}) for row in self.rows())
        if self.other not in large or self.other not in small:
            return None
        figure = figure or self.figure
        ours, theirs = ([a / b for a, b in zip(large[name][figure], small[name][figure])] for name in
                        ("Hearth", self.other))
        return ratio(ours, theirs)


def encode_aims():
    """Encoding beside the floors and the peers."""
    for name in SETS:
        bound = {"integers": 1.3, "floats": 1.3, "records": 1.35, "strings": 1.35}.get(name)
        yield Aim(f"encode {name} / floor", f"encode {name}", "Hearth", "floor", bound)
        yield Aim(f"encode {name} / floor with identity", f"encode {name}", "Hearth", "floor with identity", None)
        yield from beside_others("encode", name, {("cjson", "integers"): 4, ("cjson", "floats"): 4})


def decode_aims():
    """Decoding beside the floor and the peers."""
    for name in SETS:
        yield Aim(f"decode {name} / floor", f"decode {name}", "Hearth", "floor", 1.2)
        yield from beside_others("decode", name, {("cjson", "records"): 1.6})
    yield Aim("decode closures / floor", "decode closures", "Hearth", "floor", 1.2)
    yield Aim("decode closures, times the speed of one lua_load each", "decode closures", "Hearth",
              "one lua_load each", 3, True)


def size_aims():
    """Bytes beside MessagePack's."""
    for name in SETS:
        bound = 0.5 if name == "records" else 1.02
        yield Aim(f"size of {name} / MessagePack", f"encode {name}", "Hearth", "MessagePack", bound, figure="bytes")
        yield Aim(f"size of {name} / JSON", f"encode {name}", "Hearth", "cjson", None, figure="bytes")


def store_aims():
    """Commits and opening."""
    for name in SETS:
        yield Aim(f"commit walk of {name} / encode", f"commit walk {name}", "Hearth", "encode", 1.5)
        yield Aim(f"commit walk of {name}, uncollected / encode", f"commit walk {name}", "Hearth, uncollected",
                  "encode", 1.5)
    for name in ("integers", "records", "strings"):
        yield Aim(f"first commit of {name} / encode", f"first commit {name}", "Hearth", "encode", None)
    for name in ("integers", "strings"):
        for more in ("", ", uncollected"):
            yield Aim(f"one change of 1 million {name}{more} / walk + write + fdatasync",
                      f"one change of {name}, 1 million", f"Hearth{more}", f"walk + write + fdatasync{more}", 1.2)
    yield Aim("one change of an external table of 1 million / write + fdatasync",
              "one change of an external table, 1 million", "Hearth", "write + fdatasync", None)
    batch = "durable batch of 20 puts"
    yield Aim(f"{batch} / write + fdatasync", batch, "Hearth", "write + fdatasync", 1.5)
    yield Aim(f"{batch}, times SQLite's speed", batch, "Hearth", "SQLite", 1.5, True)
    yield Aim("open, 100 thousand entries / decode", "open, 100 thousand", "Hearth", "decode", 1.3)
    yield Aim("open read-only, 100 thousand entries / decode", "open, 100 thousand", "Hearth, read-only", "decode",
              None)


def external_aims():
    """Single entries of external tables."""
    cached = "external table, 20000 cached accesses"
    uncached = "external table, 20000 uncached reads, 100 thousand"
    yield Aim("external table: a cached read / empty C function", cached, "read", "empty C function", 5, less="loop")
    yield Aim("external table: a write / empty C function", cached, "write", "empty C function", 8, less="loop")
    yield Aim("external table: an uncached read / pread + build", uncached, "read", "pread + build", 1.5, less="loop")


def memory_aims():
    """At its most, beside what must be there."""
    for name in ("integers", "records", "strings", "long_strings", "graph", "document"):
        yield Memory(f"memory of encoding {name} / (output + 32 bytes an object)", f"memory of encoding {name}",
                     lambda f: f["output"] + 32 * f["objects"])
    for name in ("strings", "records"):
        yield Memory(f"memory of opening {name} / (bytes + values)", f"memory of opening {name}",
                     lambda f: f["bytes"] + f["values"])


def growth_aims():
    """A figure at 100 thousand and at 1 million entries, beside 10 thousand: each entry as fast as before."""
    groups = [(f"{what} {name}", contestants) for what, contestants in
              (("encode", ("Hearth", "floor")), ("decode", ("Hearth", "floor")), ("commit walk", ("Hearth", "encode")))
              for name in ("integers", "strings", "records")] + [("open", ("Hearth", "decode"))]
    for group, contestants in groups:
        for large in SIZES[1:]:
            for contestant in contestants:
                yield Growth(group, contestant, SIZES[0], large, 1.15 if contestant == "Hearth" else None)
            yield GrowthBeside(group, contestants[1], SIZES[0], large)
    for large in SIZES[1:]:
        yield Growth("one change of integers", "Hearth", SIZES[0], large, 1.15)
        yield Growth("one change of an external table", "Hearth", SIZES[0], large, 1.15, constant=True)
        yield Growth("external table, 20000 uncached reads", "read", SIZES[0], large, None, constant=True)


AIMS = [("Encoding", list(encode_aims())), ("Decoding", list(decode_aims())), ("Size", list(size_aims())),
        ("Stores", list(store_aims())), ("External tables", list(external_aims())), ("Memory", list(memory_aims())),
        ("Growth", list(growth_aims()))]
