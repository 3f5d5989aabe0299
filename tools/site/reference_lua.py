"""The Lua reference: a page of Markdown out of the definitions that teach editors the module (LuaLS annotations)."""

import re

FUNCTION = re.compile(r"^function (?P<name>[\w.:]+)\((?P<args>[^)]*)\) end$")
TAG = re.compile(r"^@(\w+) ?(.*)$")


class Undocumented(Exception):
    pass


def blocks_of(source):
    """(annotation lines, the line of Lua under them or "")."""
    notes = []
    for line in source.split("\n"):
        if line.startswith("---"):
            notes.append(line[3:])
        else:
            if notes or line:
                yield notes, line
            notes = []


def prose_and_tags(notes):
    prose, tags = [], []
    for note in notes:
        tag = TAG.match(note)
        if tag:
            tags.append((tag[1], tag[2]))
        elif note.startswith("| ") and tags:
            tags.append(("choice", note[2:]))
        else:
            prose.append(note)
    return re.sub(r"\n```(?=\w)", "\n\n```", "\n".join(prose)).strip(), tags  # Markdown wants a blank line there


def type_and_text(rest):
    """`{ keep?: integer } keep: ...` or `fun(a: b): c text` or `string text`: the type may hold blanks in brackets."""
    depth = 0
    for i, character in enumerate(rest):
        depth += (character in "({[<") - (character in ")}]>")
        if character == " " and depth == 0 and not rest[:i].endswith((":", ",")):
            return rest[:i], rest[i + 1:]
    return rest, ""


def cell(text):
    return text.replace("|", "\\|")


def code(text):
    return f"`{cell(text)}`" if text else ""


def member_rows(tags, kind):
    rows = []
    for tag, rest in tags:
        if tag != kind:
            continue
        name, _, rest = rest.partition(" ")
        shape, text = type_and_text(rest)
        optional = name.endswith("?")
        default = "optional; " if optional and text else "optional" if optional else ""
        rows.append((name.rstrip("?"), shape, default + text))
    return rows


def table(rows):
    return ["", "| | | |", "| --- | --- | --- |"] + [f"| `{n}` | {code(s)} | {cell(t)} |" for n, s, t in rows] + [""]


def function_section(name, args, prose, tags):
    if not prose and not any(tag == "return" for tag, _ in tags):
        raise Undocumented(f"{name}: no comment")
    out = [f"\n### {name}({args}) {{: #{name.replace(':', '.')} }}\n", prose, ""]
    params = member_rows(tags, "param")
    if params:
        out += table(params)
    returns = []
    for tag, rest in tags:
        if tag == "return":
            shape, text = type_and_text(rest)
            returns.append(f"`{shape}`" + (" " + text if text else ""))
    if returns:
        out.append("Returns " + ", ".join(returns) + ".\n")
    out += [f"Also `{rest}`.\n" for tag, rest in tags if tag == "overload"]
    return out


def class_section(tags, prose):
    name = tags[0][1].split()[0]
    out = [f"\n## {name} {{: #{name} }}\n", prose, ""]
    rows = member_rows(tags, "field")
    for field, _, text in rows:
        if text in ("", "optional"):
            raise Undocumented(f"{name}.{field}: no comment")
    return out + (table(rows) if rows else [])


def alias_section(tags, prose):
    name = tags[0][1].split()[0]
    out = [f"\n## {name} {{: #{name} }}\n", prose, "", "| | |", "| --- | --- |"]
    for tag, rest in tags[1:]:
        value, _, text = rest.partition(" # ")
        out.append(f"| {code(value.strip())} | {cell(text)} |")
    return out + [""]


def page_of(path, title):
    source = open(path, encoding="utf-8").read()
    functions, types = [f"# {title}\n"], []
    for notes, line in blocks_of(source):
        prose, tags = prose_and_tags(notes)
        match = FUNCTION.match(line)
        if match:
            functions += function_section(match["name"], match["args"], prose, tags)
        elif tags and tags[0][0] == "class" and re.match(r"local hearth\b|local legacy\b", line):
            functions += [prose, ""] + (table(member_rows(tags, "field")) if member_rows(tags, "field") else [])
        elif tags and tags[0][0] == "class":
            types += class_section(tags, prose)
        elif tags and tags[0][0] == "alias":
            types += alias_section(tags, prose)
        elif prose and not tags:
            functions += [prose, ""]
    return "\n".join(functions + types)
