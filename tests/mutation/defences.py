#!/usr/bin/env python3
"""Is each defence held by its test?  Takes the defences of the table beside
this out of a copy of the tree, one at a time, and requires the named test to
fail, and that one of its program.

    tests/mutation/defences.py [NAME...]       those whose names have a NAME in
                                               them; all by default

One line per defence: OK or FAILED, a tab, its name.  The copy and its build
stay in build-mutate.  Needs root, as tests/mutate does.
"""
import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True
from tree import SETUP, Failed, Tree, run_must, say, tree_files  # noqa: E402

TABLE = ROOT / "tests" / "mutation" / "defences"
SECONDS = 300
KEYS = {"test", "file", "take", "with"}


class Defence:
    """One block of the table: its name, then KEY: value lines."""

    def __init__(self, block):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        self.name = lines[0]
        pairs = [line.strip().split(": ", 1) for line in lines[1:]]
        fields = {pair[0].rstrip(":"): pair[1] if len(pair) > 1 else "" for pair in pairs}
        if set(fields) != KEYS:
            raise Failed(f"{TABLE}: {self.name}: has {sorted(fields)}, must have {sorted(KEYS)}")
        self.program, _, self.test = fields["test"].partition("/")
        self.file = fields["file"]
        self.take = fields["take"]
        self.leave = fields["with"]

    def apply(self, text):
        if text.count(self.take) != 1:
            raise Failed(f"{TABLE}: {self.name}: {self.file} has {text.count(self.take)} times: {self.take}")
        return text.replace(self.take, self.leave)


def read_table():
    blocks = re.split(r"\n\s*\n", TABLE.read_text(encoding="utf-8"))
    return [Defence(block.strip("\n")) for block in blocks
            if any(line and line[0] != "#" for line in block.splitlines())]


def failed_tests(output):
    """Names of the cmocka tests that failed, and of the one that did not end."""
    names = set(re.findall(r"\[  FAILED  \] ([a-z]\w+)", output))
    began = re.findall(r"\[ RUN      \] (\w+)", output)
    ended = set(re.findall(r"\[       OK \] (\w+)", output)) | names
    return names | {name for name in began[-1:] if name not in ended}


class Copy:
    def __init__(self):
        self.tree = Tree(ROOT / "build-mutate", "defences")
        self.tree.sync(tree_files())
        self.tree.setup(SETUP)
        self.tests = {test.name: test for test in self.tree.tests()}

    def run(self, defence):
        """What failed in the defence's program."""
        test = self.tests.get(defence.program)
        if test is None:
            raise Failed(f"{TABLE}: {defence.name}: there is no test {defence.program}")
        run_must("build", ["ninja", "-C", str(self.tree.build), *test.files])
        with tempfile.TemporaryFile() as file:
            self.tree.run_test(test, SECONDS, file)
            file.seek(0)
            return failed_tests(file.read().decode(errors="replace"))

    def without(self, defence):
        path = self.tree.sources / defence.file
        text = path.read_text(encoding="utf-8")
        faulty = defence.apply(text)
        try:
            path.write_text(faulty, encoding="utf-8")
            return self.run(defence)
        finally:
            path.write_text(text, encoding="utf-8")


def judge(copy, defence, clean):
    """"" when the test holds the defence, else why not."""
    if defence.program not in clean:
        clean[defence.program] = copy.run(defence)
    if clean[defence.program]:
        return f"{defence.program} fails with the defence in: {sorted(clean[defence.program])}"
    failed = copy.without(defence)
    if defence.test not in failed:
        return f"without it {defence.program}/{defence.test} passes" + \
            (f" (these fail: {', '.join(sorted(failed))})" if failed else "")
    return ""


def main():
    defences = [defence for defence in read_table()
                if not sys.argv[1:] or any(word in defence.name for word in sys.argv[1:])]
    copy = Copy()
    clean = {}
    failures = 0
    for defence in defences:
        why = judge(copy, defence, clean)
        failures += why != ""
        say(f"FAILED\t{defence.name}: {why}" if why else f"OK\t{defence.name}")
    return int(failures > 0 or not defences)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"tests/mutation/defences.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
