"""manual.py HEARTH SOURCES HEARTH.1: what the command takes, its help tells, and hearth(1) describes: command by
command the same options. SOURCES is tools/hearth: every option that is named there is tried with every command."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HEARTH, SOURCES, MANUAL = map(os.path.abspath, sys.argv[1:])
SCRIPT = {"run", "eval", "repl"}  # their options are described once, before them
EVERYWHERE = {"--store", "--help"}
OPTION = re.compile(r'\{"([a-z][a-z0-9-]*)", *(?:&|NULL)')


def hearth(folder, *arguments):
    environment = {"PATH": os.environ["PATH"], "HEARTH_STORE": "memory:"}
    made = subprocess.run([HEARTH, *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    return made.returncode, made.stdout, made.stderr


def helped(text):
    """Options that a help describes: those at the beginning of a line, and one in brackets behind it."""
    found = set(re.findall(r"^  (--?[a-z][\w-]*)", text, flags=re.M))
    return found | set(re.findall(r"\(also (--[\w-]+)", text))


def taken(folder, command, names):
    found = set()
    for option in names:
        status, _, complaint = hearth(folder, command, option)
        if status != 2 or "unknown option" not in complaint:
            found.add(option)
    return found


def on_one_line(item):
    return ".It " + item[1].replace("\n", " ").replace(" .", " ").lstrip(".")


def items():
    """(command, options of its line or lines, text) of each `.It Cm command` in the manual."""
    text = pathlib.Path(MANUAL).read_text(encoding="utf-8")
    lines = re.sub(r"(?s)^\.It Xo\n(.*?)^\.Xc$", on_one_line, text, flags=re.M).split("\n")
    found, command, depth = {}, None, 0
    for line in lines:
        depth += line.startswith(".Bl") - line.startswith(".El")
        item = re.match(r"\.It Cm ([a-z-]+)(.*)", line)
        if item and depth == 1:
            command = item[1]
            found[command] = (options_of(item[2]), [])
        elif line.startswith((".Ss", ".Sh")) or (depth == 0 and line.startswith(".El")):
            command = None
        elif command is not None:
            found[command][1].append(line)
    return {name: (options, "\n".join(body)) for name, (options, body) in found.items()}


def options_of(line):
    """option -> the name of its value, or ""."""
    return {"-" + name: value for name, value in re.findall(r"\bFl (-?[a-z][\w-]*)(?: Ar ([\w.]+))?", line)}


def is_described(option, value, body):
    """By its name or that of its value; --at is described for all commands at once."""
    told = re.search(rf"\bFl {re.escape(option[1:])}(?![\w-])", body)
    named = value and re.search(rf"\bAr {re.escape(value)}(?!\w)", body)
    return option == "--at" or bool(told or named)


def script_options():
    text = pathlib.Path(MANUAL).read_text(encoding="utf-8")
    section = text[text.index(".Ss Commands that run Lua"):text.index(".It Cm run ")]
    return {option for line in re.findall(r"^\.It (Fl .*)$", section, flags=re.M) for option in options_of(line)}


def main():
    wrong = []
    sources = "\n".join(path.read_text(encoding="utf-8") for path in sorted(pathlib.Path(SOURCES).glob("*.c")))
    names = {"--" + name for name in OPTION.findall(sources)} | {"-l"}
    names -= EVERYWHERE
    assert len(names) > 20, names
    with tempfile.TemporaryDirectory(prefix="hearth-manual-") as folder:
        usage = hearth(folder, "--help")[1]
        commands = re.findall(r"^  ([a-z][a-z-]+) +[A-Z]", usage, flags=re.M)
        assert len(commands) > 15, usage
        described = items()
        if set(described) != set(commands):
            wrong.append(f"only in hearth --help or in hearth(1): {sorted(set(described) ^ set(commands))}")
        for command in commands:
            text = hearth(folder, command, "--help")[1]
            takes = taken(folder, command, names)
            tells = helped(text)
            if tells != takes | EVERYWHERE:
                wrong.append(f"{command} takes {sorted(takes | EVERYWHERE)}, its help tells of {sorted(tells)}")
            options, body = described.get(command, ({}, ""))
            shared = script_options() if command in SCRIPT else set()
            if set(options) | shared != takes:
                there = sorted(set(options) | shared)
                wrong.append(f"{command} takes {sorted(takes)}, hearth(1) has {there}")
            wrong += [f"{command}: hearth(1) does not say what {option} is for" for option, value in options.items()
                      if not is_described(option, value, body)]
    for line in wrong:
        print(line)
    print(f"{len(commands)} commands, {len(names)} options, {len(wrong)} wrong")
    return 1 if wrong else 0


sys.exit(main())
