"""site.py OUTPUT: the documentation as a site.

Gathers docs/*.md, the guides, the READMEs, and references out of headers and type declarations in OUTPUT.source, and
lets MkDocs make the pages. A link to what is not there, an interface without a comment, or a page that the navigation
does not have is an error.
"""

import html.parser
import pathlib
import re
import shutil
import subprocess
import sys

import reference_c
import reference_lua
import reference_ts

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent

# The pages, in the order of the navigation: title, page, source. A source of None is made here.
NAVIGATION = [
    ("Hearth", [
        ("A tour", "index.md", "docs/TOUR.md"),
        ("All in short, installing", "about.md", "README.md"),
    ]),
    ("How to", [
        ("Saves of a game", "game.md", "docs/guides/game.md"),
        ("A web application", "web.md", "docs/guides/web.md"),
        ("A small device", "device.md", "docs/guides/device.md"),
        ("A server", "server.md", "docs/guides/server.md"),
        ("Tests", "tests.md", "docs/guides/tests.md"),
        ("Coming from elsewhere", "MIGRATION.md", "docs/MIGRATION.md"),
    ]),
    ("Reference", [
        ("Lua", "lua.md", None),
        ("Lua: legacy data", "lua-legacy.md", None),
        ("JavaScript", "javascript.md", None),
        ("JavaScript: cu", "javascript-cu.md", None),
        ("The npm package", "package.md", "bindings/js/README.md"),
        ("hearth(1)", "hearth.1.md", "docs/hearth.1"),
        ("hearth(5)", "hearth.5.md", "docs/hearth.5"),
    ]),
    ("C", []),
    ("Stores", [
        ("SQLite", "SQLITE.md", "docs/SQLITE.md"),
        ("PostgreSQL", "POSTGRES.md", "docs/POSTGRES.md"),
        ("Your own backend", "BACKENDS.md", "docs/BACKENDS.md"),
    ]),
    ("Promises", [
        ("Reliability", "RELIABILITY.md", "docs/RELIABILITY.md"),
        ("Security", "SECURITY.md", "docs/SECURITY.md"),
        ("Figures", "BENCHMARKS.md", "docs/BENCHMARKS.md"),
        ("Beside others", "COMPARISON.md", "docs/COMPARISON.md"),
    ]),
    ("Inside", [
        ("The format", "FORMAT.md", "docs/FORMAT.md"),
        ("Legacy records", "LEGACY.md", "docs/LEGACY.md"),
        ("The design", "DESIGN.md", "docs/DESIGN.md"),
        ("Versions of Lua", "versions-of-lua.md", "docs/LUA.md"),
        ("Fuzzing", "fuzz.md", "fuzz/README.md"),
        ("Taking part", "contributing.md", "CONTRIBUTING.md"),
        ("Changes", "changelog.md", "CHANGELOG.md"),
    ]),
]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def navigation(headers):
    pages = [(header.name, header.stem + ".md", None) for header in headers]
    return [(group, pages if group == "C" else entries) for group, entries in NAVIGATION]


def outside_code(text, change):
    """The text, changed but for what is between fences."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


def rewrite_links(text, source, places):
    """Links among the sources become links among the pages; what has no page stays as its text. A picture leads to
    itself."""

    def rewritten(match):
        text, target = match.groups()
        path, _, fragment = target.partition("#")
        if re.match(r"\w+:", target) or not path:
            return match[0]
        there = (source.parent / path).resolve()
        if not there.exists():
            sys.exit(f"{source.relative_to(ROOT)}: {target}: there is no such file")
        page = places.get(there)
        if page is None:
            return text if text.startswith("`") else f"`{there.relative_to(ROOT)}`"
        return f"[{text}]({page}{'#' + fragment if fragment else ''})"

    def larger(match):
        return f"[{match[0]}]({match[2]})"

    return outside_code(text, lambda part: PICTURE.sub(larger, LINK.sub(rewritten, part)))


def list_spaces(text):
    """Python-Markdown wants four blanks where others are content with two or three."""
    return outside_code(text, lambda part: re.sub(r"(?m)^( {2,3})(?=[-\w`*\[(\"])", "    ", part))


def man_page(path):
    """Its sections become headings of Markdown, so that the page has a list of them."""
    made = subprocess.run(["mandoc", "-Thtml", "-Ofragment", str(path)], capture_output=True, text=True, check=True)
    text = re.sub(r'(?s)<table class="(?:head|foot)">.*?</table>|</?section[^>]*>|</?div[^>]*>', "", made.stdout)
    text = re.sub(r'(?s)<h([12]) class="S[hs]" id="([^"]*)"><a [^>]*>(.*?)</a></h\1>',
                  lambda m: f"\n\n#{'#' * int(m[1])} {' '.join(m[3].split())} {{: #{m[2]} }}\n\n", text)
    text = text.replace("</table>\n<br/>", "</table>")
    text = re.sub(r'<a class="Xr">(hearth)\((\d)\)</a>', r'<a class="Xr" href="\1.\2.html">\1(\2)</a>', text)
    return f"# {path.stem}({path.suffix[1:]})\n\n{text}"


def forgotten(places):
    """Pages of docs/ that the navigation does not have."""
    pages = [path for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".1", ".5")]
    return [path for path in pages if path.resolve() not in places]


def gather(folder, headers):
    places = {(ROOT / source).resolve(): page for _, entries in NAVIGATION for _, page, source in entries if source}
    places.update({header.resolve(): header.stem + ".md" for header in headers})
    if forgotten(places):
        sys.exit(f"not in the navigation: {', '.join(str(path.relative_to(ROOT)) for path in forgotten(places))}")
    for source, page in places.items():
        if source.suffix == ".md":
            text = re.sub(r"(?m)^<!-- .*? -->\n", "", source.read_text(encoding="utf-8"))
            text = list_spaces(rewrite_links(text, source, places))
        elif source.suffix in (".1", ".5"):
            text = man_page(source)
        else:
            continue
        (folder / page).write_text(text, encoding="utf-8")
    pages = reference_c.index(headers)
    for header in headers:
        (folder / f"{header.stem}.md").write_text(reference_c.page_of(header, pages), encoding="utf-8")
    lua, js = ROOT / "bindings/lua", ROOT / "bindings/js/src"
    made = {
        "lua.md": reference_lua.page_of(lua / "hearth.d.lua", "Lua: hearth"),
        "lua-legacy.md": reference_lua.page_of(lua / "hearth.legacy.d.lua", "Lua: hearth.legacy"),
        "javascript.md": reference_ts.page_of(js / "hearth.d.ts", "JavaScript: hearth-lua"),
        "javascript-cu.md": reference_ts.page_of(js / "cu/cu.d.ts", "JavaScript: hearth-lua/cu"),
    }
    for page, text in made.items():
        (folder / page).write_text(text, encoding="utf-8")
    for picture in (ROOT / "docs").glob("*.svg"):
        shutil.copy(picture, folder)


def configuration(source, output, headers):
    lines = ["site_name: Hearth", f"docs_dir: {source}", f"site_dir: {output}", "use_directory_urls: false",
             "theme:", "  name: null", f"  custom_dir: {HERE / 'theme'}",
             "plugins: [search]", "strict: true",
             "markdown_extensions: [tables, fenced_code, attr_list, sane_lists, codehilite, {toc: {permalink: '#'}}]",
             "nav:"]
    for group, entries in navigation(headers):
        lines.append(f"  - {group!r}:")
        lines += [f"    - {title!r}: {page}" for title, page, _ in entries]
    return "\n".join(lines) + "\n"


class Anchors(html.parser.HTMLParser):
    """Where a page can be jumped to, and where it leads."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []  # where it can be jumped to; where it leads, and what it shows
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.add(attrs["id"])
        self.links += [attrs[name] for name in ("href", "src") if attrs.get(name)]


def dead_links(output):
    """MkDocs looks at pages, not at the places in them, and not at pages that were HTML before."""
    pages = {path.name: Anchors(path) for path in output.glob("*.html")}
    dead = []
    for name, page in pages.items():
        for link in page.links:
            path, _, fragment = link.partition("#")
            if re.match(r"\w+:", link):
                continue
            there = pages.get(path or name)
            if there is None and not (output / path).exists():
                dead.append(f"{name}: {link}: no such page")
            elif there is not None and fragment and fragment not in there.ids:
                dead.append(f"{name}: {link}: no such place")
    return dead


def main():
    output = pathlib.Path(sys.argv[1]).resolve()
    source = output.with_name(output.name + ".source")
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    headers = sorted((ROOT / "include").glob("*.h"))
    try:
        gather(source, headers)
    except (reference_c.Undocumented, reference_lua.Undocumented, reference_ts.Undocumented) as gap:
        sys.exit(str(gap))
    config = output.with_name(output.name + ".yml")
    config.write_text(configuration(source, output, headers), encoding="utf-8")
    command = ["mkdocs", "build", "--strict", "--clean", "--config-file", str(config)]
    made = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if made.returncode:
        sys.exit(made.stderr)
    dead = dead_links(output)
    if dead:
        sys.exit("\n".join(dead))
    print(f"{len(list(output.rglob('*.html')))} pages in {output}")


main()
