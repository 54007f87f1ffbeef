"""Whether the tables of defences and of equivalent faults fit the sources: code
that moved or changed takes its lines along."""
import unittest

import defences
import operators
from tree import ROOT

EQUIVALENT = ROOT / "tests" / "mutation" / "equivalent"


class Tables(unittest.TestCase):
    def test_defences(self):
        for defence in defences.read_table():
            with self.subTest(defence.name):
                path = ROOT / defence.file
                self.assertTrue(path.is_file(), f"there is no {defence.file}")
                self.assertEqual(path.read_text(encoding="utf-8").count(defence.take), 1,
                                 f"{defence.file}: times that it has: {defence.take}")

    def test_defences_tests(self):
        """The named test is there."""
        sources = {path: path.read_text(encoding="utf-8")
                   for path in (ROOT / "tests").rglob("*.c")}
        for defence in defences.read_table():
            with self.subTest(defence.name):
                self.assertTrue(any(f"{defence.test}(" in text for text in sources.values()),
                                f"no test is called {defence.test}")

    def test_equivalent(self):
        known = {}
        for line in EQUIVALENT.read_text(encoding="utf-8").splitlines():
            if not line or line[0] in "# ":
                continue
            name = line.partition(":")[0]
            with self.subTest(line):
                path = ROOT / name
                self.assertTrue(path.is_file(), f"there is no {name}")
                if name not in known:
                    text = path.read_text(encoding="utf-8")
                    known[name] = {mutant.key() for mutant in operators.mutants_of(name, text)}
                self.assertTrue(line in known[name], "no such fault is in the file any more")
