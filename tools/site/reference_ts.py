"""The JavaScript reference: a page of Markdown out of the package's type declarations and their comments."""

import re

NAME = re.compile(r"^(?:export )?(?:declare )?(?:interface|class|type|function|const) (\w+)")


class Undocumented(Exception):
    pass


def comment_text(lines):
    text = "\n".join(lines)
    text = re.sub(r"^\s*/\*\* ?|\s*\*/\s*$", "", text)
    return "\n".join(re.sub(r"^\s*\* ?", "", line) for line in text.split("\n")).strip()


def declarations(source):
    """(comment, code) of each exported declaration; a comment alone has no code."""
    comment, code, inside, depth = [], [], False, 0
    for line in source.split("\n"):
        if not code and not inside and line.startswith("/**"):
            if comment:
                yield comment_text(comment), ""
            comment = []
            inside = True
        if inside:
            comment.append(line)
            inside = "*/" not in line
            continue
        if line.startswith(("import ", "///")) or (not code and not line.strip()):
            if comment and not line.strip():
                yield comment_text(comment), ""
                comment = []
            continue
        code.append(line)
        depth += line.count("{") - line.count("}")
        if depth == 0 and (line.endswith((";", "}")) or not line.strip()):
            yield comment_text(comment), "\n".join(code).rstrip()
            comment, code = [], []


def members(code):
    """(has a comment, its line) of each member of a class or an interface."""
    documented, inside, depth = False, False, 0
    body = code[code.index("{") + 1:].split("\n")[1:-1]
    for line in (line.strip() for line in body):
        if inside or line.startswith("/**"):
            documented, inside = True, "*/" not in line
            continue
        if depth == 0 and line:
            yield documented or line.startswith("private "), line
            documented = False
        depth += sum(line.count(mark) for mark in "{(") - sum(line.count(mark) for mark in "})")


def check(path, name, comment, code):
    """Everything that a program can name has a comment: what is declared, and each member of it."""
    bare = [] if comment else [name]
    if re.match(r"export (?:interface|class) ", code):
        bare += [f"{name}: {line}" for documented, line in members(code) if not documented]
    if bare:
        raise Undocumented(f"{path}: no comment: {'; '.join(bare)}")


def page_of(path, title):
    out = [f"# {title}\n"]
    for comment, code in declarations(open(path, encoding="utf-8").read()):
        name = NAME.match(code)
        if not code:
            out.append(comment + "\n")
            continue
        if code.startswith("export default "):
            continue
        if name is None:
            raise Undocumented(f"{path}: not understood: {code.splitlines()[0]}")
        if code.startswith("export "):
            check(path, name[1], comment, code)
        out.append(f"\n## {name[1]} {{: #{name[1]} }}\n")
        if comment:
            out.append(comment + "\n")
        out.append("\n```ts\n" + code + "\n```\n")
    return "\n".join(out)
