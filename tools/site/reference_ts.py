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
        if not comment and "/**" not in code and code.count("\n") > 3:
            raise Undocumented(f"{path}: {name[1]}: no comment")
        out.append(f"\n## {name[1]} {{: #{name[1]} }}\n")
        if comment:
            out.append(comment + "\n")
        out.append("\n```ts\n" + code + "\n```\n")
    return "\n".join(out)
