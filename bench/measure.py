"""Programs that hold rows, and taking their samples in turns."""
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

DOCUMENT = str(Path(__file__).resolve().parent / "document.py")
SIZES = re.compile(r", (10 thousand|100 thousand|1 million)$")


class Process:
    """A process that does what it is told, a line each; one row at a time."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def tell(self, line):
        """Sends it."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self):
        """The next line of the process."""
        line = self.process.stdout.readline()
        if line == "":
            raise SystemExit(f"bench: {self.process.args[0]} failed")
        return json.loads(line)

    def ask(self, line):
        """Sends it, and waits for the answer."""
        self.tell(line)
        return self.answer()

    def close(self):
        """Ends it."""
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait() != 0:
            raise SystemExit(f"bench: {self.process.args[0]} failed")


class Program:
    """What processes are made of, and which rows they have. Each has a folder of its own, with the document in it."""

    def __init__(self, name, command, folder):
        self.name, self.command, self.folder, self.rows = name, command, Path(folder), {}
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, DOCUMENT, str(self.folder / "document.json")], check=True)
        process = self.start("rows")
        process.tell("rows")
        while row := process.answer():
            self.rows[row["row"]] = row["contestants"]
        process.close()

    def arguments(self, name):
        """The command of a process, in a folder of this name."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        shutil.copyfile(self.folder / "document.json", folder / "document.json")
        return [*self.command, str(folder)]

    def start(self, name):
        """A process, in a folder of this name."""
        return Process(self.arguments(name))


def groups(names):
    """Rows that are measured together: those that differ in their size only."""
    together = {}
    for name in names:
        together.setdefault(SIZES.sub(" by size", name), []).append(name)
    return together


class Turn:
    """A contestant of a row in a process of its own program."""

    def __init__(self, row, contestant, process, label):
        self.row, self.contestant, self.process, self.label = row, contestant, process, label
        self.figures = {}

    def take(self, count):
        """A sample; the first warms up, and is not counted."""
        sample = self.process.ask(f"sample {self.contestant}")
        for figure, value in sample.items():
            self.figures.setdefault(figure, [])
            if count:
                self.figures[figure].append(value)


def turns_of(programs, names, wanted):
    """All of them: contestant by contestant, the programs in turn. One of a later program is "NAME @ PROGRAM"."""
    turns, processes = [], []
    for number, name in enumerate(names):
        started = []
        for program in programs:
            if name in program.rows:
                started.append((program, program.start(f"row{number}")))
                started[-1][1].ask(f"begin {name}")
        contestants = dict.fromkeys(c for program, _ in started for c in program.rows[name] if wanted(c))
        for contestant in contestants:
            having = [(program, process) for program, process in started if contestant in program.rows[name]]
            for i, (program, process) in enumerate(having):
                label = contestant if i == 0 else f"{contestant} @ {program.name}"
                turns.append(Turn(name, contestant, process, label))
        processes += [process for _, process in started]
    return turns, processes


def measure(programs, names, seconds, rounds, wanted=lambda contestant: True):
    """Samples of the rows' contestants, all of them in turns: {row: {contestant: {figure: [...]}}}.

    Each row of each program is in a process of its own. `rounds` is the least and the most; more than the least only
    as long as `seconds` have not passed. What has no time is the same each time, and is taken once.
    """
    turns, processes = turns_of(programs, names, wanted)
    began, done = time.monotonic(), 0
    while done <= rounds[0] or (done <= rounds[1] and time.monotonic() - began < seconds):
        for turn in turns:
            turn.take(done > 0)
        done += 1
        if done == 2 and not any("ns" in turn.figures for turn in turns):
            break
    for process in processes:
        process.ask("end")
        process.close()
    samples = {name: {} for name in names}
    for turn in turns:
        samples[turn.row][turn.label] = turn.figures
    return samples
