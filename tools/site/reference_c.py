"""The C reference: a page of Markdown for each public header, out of its comments.

A header is a title comment, then blocks that blank lines divide. A block is a comment and the declarations under it; a
comment of the form /* ---- title */ begins a section. What is exported, a type or a constant without a comment of its
own, beside it or in the title, is an error, and so is a member that neither a comment of its own nor its type's speaks
of: the reference has no gaps.
"""

import re

WORD = re.compile(r"(?<![\w`])(?:hearth_\w+|[A-Z]{2,})(?![\w`])")
NAME = {
    "function": re.compile(r"\b(hearth_\w+|luaopen_\w+)\("),
    "type": re.compile(r"^(?:typedef )?(?:struct|enum) (hearth_\w+)"),
    "alias": re.compile(r"^typedef [^;{]*?\(\*(hearth_\w+)\)|^typedef \w[\w ]* (hearth_\w+);"),
    "data": re.compile(r"^HEARTH_API extern const [\w ]*?(hearth_\w+);"),
    "macro": re.compile(r"^#define (HEARTH_\w+)"),
}
HIDDEN = re.compile(r"HEARTH_\w+_H|HEARTH_API|HEARTH_NO_VISIBILITY")


class Undocumented(Exception):
    pass


def comment_text(lines):
    """The text of a comment, without its marks."""
    text = "\n".join(lines).strip()
    text = re.sub(r"^/\*+ ?|\s*\*/$", "", text)
    return "\n".join(re.sub(r"^\s*\*\* ?", "", line) for line in text.split("\n")).strip()


def blocks_of(source):
    """(comment, code) for each block; a comment alone has no code, and code alone no comment."""
    comment, code, inside, depth = [], [], False, 0
    for line in source.split("\n") + [""]:
        if line in ('extern "C" {', "}"):
            line = ""
        if inside:
            comment.append(line)
            inside = "*/" not in line
        elif not code and line.startswith("/*"):
            if comment:
                yield comment_text(comment), ""
            comment = [line]
            inside = "*/" not in line
        elif line.strip() == "" and depth == 0:
            if comment or code:
                yield comment_text(comment), "\n".join(code)
            comment, code = [], []
        else:
            code.append(line)
            depth += line.count("{") - line.count("}")


def names_in(code):
    """What a piece of code declares, in its order."""
    bare = re.sub(r"/\*.*?\*/", "", code, flags=re.S)
    found, depth = [], 0
    for line in bare.split("\n"):
        if depth == 0:
            for kind in ("macro", "data", "alias", "type", "function"):
                match = NAME[kind].search(line)
                if match:
                    name = next(group for group in match.groups() if group)
                    if not HIDDEN.fullmatch(name) and name not in found:
                        found.append(name)
                    break
        depth += line.count("{") - line.count("}")
    return found


def is_plumbing(code):
    """Guards, includes and the like."""
    guard = re.compile(r"#(if|ifdef|ifndef|endif|else|error|include)\b|extern \"C\" \{|\}$")
    kept = [line for line in code.split("\n") if not guard.match(line)]
    kept = [line for line in kept if not re.match(r"#define (HEARTH_\w+_H|HEARTH_API)\b", line)]
    return "".join(kept).strip() == ""


def as_markdown(text, pages):
    """A comment as Markdown: its code in backticks stays, names of the interface become links."""
    parts = re.split(r"(`[^`\n]+`)", text)
    for i, part in enumerate(parts):
        if i % 2:
            continue
        part = re.sub(r"([<*\[\]])", r"\\\1", part)
        part = WORD.sub(lambda m: linked(m[0], pages), part)
        parts[i] = part
    out, listing = [], False
    for line in "".join(parts).split("\n"):
        item = re.match(r"(?:\d+\.|-) ", line)
        if item and not listing:
            out.append("")  # Markdown wants a blank line before a list, and a deeper indentation in it
        listing = bool(item) or (listing and line.startswith(" "))
        out.append("    " + line.strip() if listing and not item else line.strip())
    return "\n".join(out)


def linked(word, pages):
    name = word if word.startswith("hearth_") else "HEARTH_" + word
    text = f"`{word}`" if word.startswith("hearth_") else word
    return f"[{text}]({pages[name]}.md#{name.lower()})" if name in pages else word


def undocumented(code, comment):
    """The names that neither the block's comment, nor one beside or above them, nor one of a member speaks of."""
    if comment or opaque(code):
        return []
    bare, piece, depth = [], [], 0
    for line in code.split("\n"):
        piece.append(line)
        depth += line.count("{") - line.count("}")
        if depth == 0 and not line.startswith(("/*", "**")) and not line.endswith(","):
            text = "\n".join(piece)
            if "/*" not in text:
                bare.extend(names_in(text))
            piece = []
    return [name for name in bare if not name.startswith("HEARTH_VERSION_")]


def members_of(code):
    """(name, has a comment beside or above it) for each member of the structure that a block declares."""
    body = re.search(r"^(?:typedef )?struct \w+ \{$(.*?)^\}", code, re.M | re.S)
    declared, above = "", False
    for line in re.sub(r"/\*.*?\*/", "@", body[1], flags=re.S).split("\n") if body else []:
        if line.strip() in ("", "@"):
            above = "@" in line
            continue
        declared += line
        if ";" in line:
            bare = re.sub(r"@|;.*", "", declared)
            names = re.findall(r"\(\*(\w+)\)\(", bare) or re.findall(r"(\w+)(?:\[\w+\])?(?=,|$)", bare.strip())
            yield from ((name, above or "@" in declared) for name in names)
            declared, above = "", False


def bare_members(code, comment):
    """The members that neither a comment of their own nor their type's speaks of."""
    return [name for name, spoken in members_of(code) if not spoken and not re.search(rf"\b{name}\b", comment)]


def read(path):
    """The header's title, and its blocks: (comment, code, names)."""
    source = open(path, encoding="utf-8").read()
    blocks = list(blocks_of(source))
    title = blocks[0][0]
    return title, [(comment, code, names_in(code)) for comment, code in blocks[1:]]


def statuses(code):
    return re.findall(r"^\s+(HEARTH_[A-Z]+) = -?\d+,?\s*/\* (.*?) \*/$", code, re.M)


def index(headers):
    """name -> page, for links."""
    pages = {}
    for header in headers:
        page = header.stem
        for _, code, names in read(header)[1]:
            for name in names:
                pages[name] = page
            for name, _ in statuses(code):
                pages[name] = page
    return pages


def page_of(header, pages):
    title, blocks = read(header)
    out = [f"# {header.name}\n"]
    out.append(as_markdown(title, pages) + "\n")
    section = ""  # a comment alone speaks for what follows, up to the next one
    for comment, code, names in blocks:
        heading = re.fullmatch(r"-{4,} (.+)", comment) or re.fullmatch(r"-{4,}\n?(.+)", comment)
        if heading:
            out.append(f"\n## {heading[1].strip()}\n")
            section = ""
            comment = ""
        if not names or is_plumbing(code):
            if comment:
                out.append(as_markdown(comment, pages) + "\n")
                section = comment
            continue
        bare = undocumented(code, comment or section)
        bare += [f"{names[0]}.{member}" for member in bare_members(code, comment)]
        if bare:
            raise Undocumented(f"{header}: {', '.join(bare)}: no comment")
        out.append(f"\n### {', '.join(names)} {{: #{names[0].lower()} }}\n")
        out.extend(f'<a id="{name.lower()}"></a>' for name in names[1:])
        out.append("\n```c\n" + code.strip("\n") + "\n```\n")
        if comment:
            out.append(as_markdown(comment, pages) + "\n")
        listed = statuses(code)
        if len(listed) > 5:
            out.append("\n| status | |\n| --- | --- |")
            out.extend(f'| <a id="{name.lower()}"></a>`{name}` | {meaning} |' for name, meaning in listed)
            out.append("")
    return "\n".join(out)


def opaque(code):
    return re.fullmatch(r"typedef struct (\w+) \1;", code.strip()) is not None
