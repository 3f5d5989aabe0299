"""stat_html.py HEARTH: the page that hearth stat --html writes: whole, of itself, and safe whatever the store holds."""
import html.parser
import os
import re
import subprocess
import sys
import tempfile

hearth = os.path.realpath(sys.argv[1])
passed = 0
VOID = {"meta", "link"}
TAGS = {"html", "head", "meta", "link", "title", "style", "body", "main", "h1", "h2", "p", "dl", "dt", "dd", "ul", "li",
        "span", "svg", "g", "rect", "text", "div", "table", "thead", "tbody", "tr", "th", "td", "code"}
ATTRIBUTES = {"lang", "charset", "name", "content", "http-equiv", "rel", "href", "class", "viewbox", "role", "id",
              "tabindex", "aria-labelledby", "aria-label", "aria-hidden", "x", "y", "width", "height"}


class Page(html.parser.HTMLParser):
    """Its tags are balanced and few; its tables as lists of rows, its rectangles with their titles."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tables, self.rects, self.text, self.title = [], [], [], "", None
        self.labels = 0
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attributes):
        assert tag in TAGS, tag
        for name, value in attributes:
            assert name in ATTRIBUTES, (tag, name)
            assert name != "href" or value == "data:,", value
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag == "title":
            self.title = ""
        if tag == "svg" and "g" in self.open:  # around a label, which it cuts off at the edge of its rectangle
            a = dict(attributes)
            assert tuple(float(a[n]) for n in ("x", "y", "width", "height")) == self.rects[-1][2:], (a, self.rects[-1])
        if tag == "text":
            assert self.open[-3:] == ["g", "svg", "text"], self.open
            self.labels += 1

    def handle_startendtag(self, tag, attributes):
        assert tag == "rect", tag
        a = dict(attributes)
        self.rects.append((self.title, a["class"], *(float(a[n]) for n in ("x", "y", "width", "height"))))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] == "title":
            self.title += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data


def run(*arguments, status=0, store="file:s.hearth"):
    global passed
    done = subprocess.run([hearth, "--store", store, *arguments], capture_output=True, stdin=subprocess.DEVNULL)
    err = done.stderr.decode()
    assert done.returncode == status, (arguments, done.returncode, done.stdout[:1000], err[:1000])
    assert "runtime error" not in err and "Sanitizer" not in err, err
    if status != 0:
        assert err.startswith("hearth: ") and err.count("\n") == 1, err
    passed += 1
    return err if status != 0 else done.stdout.decode()


def page(*arguments, store="file:s.hearth"):
    if os.path.exists("page.html"):
        os.remove("page.html")
    assert run("stat", "--html", "page.html", *arguments, store=store) == ""
    with open("page.html", encoding="utf-8", newline="") as f:
        text = f.read()
    assert text.startswith("<!doctype html>\n") and text.endswith("</html>\n")
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text
    return text, Page(text)


def check_rects(p):
    """Every rectangle lies in the drawing, none crosses another: they are nested or apart."""
    rects = [r for r in p.rects if r[1] != "bar"]
    slack = 0.15
    for _, _, x, y, w, h in rects:
        assert x >= 0 and y >= 0 and x + w <= 1200 + slack and y + h <= 640 + slack, (x, y, w, h)
    for i, (_, _, x, y, w, h) in enumerate(rects[:400]):
        for _, _, x2, y2, w2, h2 in rects[i + 1:400]:
            apart = x2 >= x + w - slack or x >= x2 + w2 - slack or y2 >= y + h - slack or y >= y2 + h2 - slack
            inside = x2 >= x - slack and y2 >= y - slack and x2 + w2 <= x + w + slack and y2 + h2 <= y + h + slack
            assert apart or inside, ((x, y, w, h), (x2, y2, w2, h2))


HOSTILE = ["</script><img src=x onerror=alert(1)>", "</title><script>alert(2)</script>", "\" onload=\"alert(3)",
           "'><b>", "]]>", "<!--", "&lt;", "\\u202e\\0\\1\\255", "\\xff\\xfe"]


def hostile():
    source = "_home.h = {} "
    for i, text in enumerate(HOSTILE):
        quoted = '"' + text.replace('"', '\\"').replace("\\u202e", "\\u{202e}") + '"'
        source += (f"_home.h[{quoted}] = {{{quoted} .. ('x'):rep({1000 + i})}} "
                   f"_home.h[{i + 1}] = {quoted} .. ('y'):rep(500) ")
    # an upvalue's name, and a source's, that nobody's Lua wrote
    source += ("local n = {('z'):rep(3000)} local f = function() return n end local d = string.dump(f) "
               "_home.f = load(('local abcdefgh = ... return function() return abcdefgh end'), '=</code><script>')(n) ")
    run("eval", source)
    text, p = page()
    lower = text.lower()
    assert "<script" not in lower and "<img" not in lower and "<b>" not in lower and "<!--" not in lower
    assert "</script><img src=x onerror=alert(1)>" in p.text  # told, as text
    assert "</code><script>" in p.text
    check_rects(p)
    assert p.labels > len(HOSTILE)
    assert text == page()[0]


def ordinary():
    run("eval",
        "_home.big = {text = ('x'):rep(100000)} _home.many = {} for i = 1, 300 do _home.many[i] = {i, n = i} end"
        " _home.e = ext.table() for i = 1, 100 do _home.e[i] = i end _home.p = print"
        " _home.f = function() return _home.e end")
    run("eval", "_home.n = 1")
    text, p = page()
    stat = dict(line.split(None, 1) for line in run("stat").splitlines() if line.startswith("live"))
    live = stat["live"].split()[0]
    assert f"({int(live):,})" in text, live
    paths, kinds, commits, strings, prototypes = p.tables
    assert paths[0] == ["path", "kind", "with all below", "itself"] and paths[1][0] == "_home"
    assert ["_home.big.text", "large string"] == paths[3][:2] and paths[2][0] == "_home.big", paths[:5]
    rows = {row[0]: row for row in kinds}
    assert rows["tables"][1] == "303" and rows["external tables"][1] == "1" and rows["functions"][1] == "1", rows
    assert "The external tables have 100 entries." in text
    assert [row[0] for row in commits[1:]] == ["2", "1"] and len([r for r in p.rects if r[1] == "bar"]) == 2
    assert strings[1][0] == "97.7 KiB" and strings[1][1] == "_home.big.text" and strings[1][2].startswith('"xxx')
    assert prototypes[1][1] == "_home.f^prototype" and "eval" in prototypes[1][2]
    check_rects(p)
    # areas are as bytes: of what has nothing below it, beside each other in one table
    area = {r[0]: r[4] * r[5] for r in p.rects}
    text_area = next(v for k, v in area.items() if k.startswith("_home.big.text,"))
    assert 0.5 < text_area / (1200 * 640) < 1
    # earlier commits; what is not the file backend's
    text, p = page("--at", "1")
    assert len(p.tables[2]) == 2 and "<dt>commit</dt><dd>1</dd>" in text
    # the sum of all kinds is what is in use
    run("eval", "_home.big = nil")
    text, p = page()
    assert sum(int(n) for n in re.findall(r"<td class=\"n\">(\d+) bytes</td></tr>", text)) > 0


def limits():
    run("eval", "return 1", store="file:empty.hearth")
    run("eval", "_home.x = 1 _home.x = nil _home.y = 1", store="file:empty.hearth")
    page(store="file:empty.hearth")
    run("eval", "local t = _home for i = 1, 20000 do t.t = {} t = t.t end t.s = ('x'):rep(5000)",
        store="file:deep.hearth")
    text, p = page(store="file:deep.hearth")
    assert len(text) < 300000 and len(p.rects) < 100
    assert max(len(cell) for table in p.tables for row in table for cell in row) < 1000
    run("eval", "for i = 1, 30000 do _home[i] = {i} end", store="file:wide.hearth")
    text, p = page(store="file:wide.hearth")
    assert "smaller ones" in text and len(p.rects) <= 4001 and len(text) < 2000000
    check_rects(p)


def usage():
    run("stat", "--html", "page.html", status=1)  # it is there
    run("stat", "--html", "s.hearth", status=1)
    assert run("get", "n").strip() == "1"
    run("stat", "--html", "none/page.html", status=1)
    run("stat", "--html", status=2)
    run("stat", "--html", "new.html", store="file:none.hearth", status=3)
    assert not os.path.exists("new.html")
    Page(run("stat", "--html", "-"))


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    ordinary()
    usage()
    hostile()
    limits()
print(f"{passed} runs as expected")
