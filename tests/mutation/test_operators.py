"""What tests/mutation/operators.py finds in a piece of C, and what it leaves."""
import unittest

import operators

TEXT = '''\
/* if (a < b) */
#define LESS(a, b) ((a) < (b))
static const int limit = 7;
int f(int a, char *text)
{
    int found = 0; // a < b
    char name[4];
    assert(a < 9);
    log_error("a < %d", a < 9);
    if (a < 3 &&
        !text)
        return a;
    for (int i = 0; i < a; i++)
        found += text[i] == '<';
    switch (a) {
    case 4:
        free(text);
        break;
    }
    struct thing *p = (struct thing *)&text;
    p->next = a ? f(a, text) : found;
    return 0x10u - found;
}
'''


def described(text=TEXT):
    return [mutant.describe().removeprefix("f.c:")
            for mutant in operators.mutants_of("f.c", text)]


class Operators(unittest.TestCase):
    def test_found(self):
        found = described()
        for wanted in [
                "10: never `(a < 3 && !text)` -> `(0 && (a < 3 && !text))`",
                "10: negate `(a < 3 && !text)` -> `(!(a < 3 && !text))`",
                "10: relation `<` -> `<=`",
                "10: logic `&&` -> `||`",
                "10: number `3` -> `2`",
                "11: not `!` -> ``",
                "12: return `a` -> `0`",
                "13: arithmetic `++` -> `--`",
                "14: drop `found += text[i] == '<';` -> `;`",
                "14: relation `==` -> `!=`",
                "17: drop `free(text);` -> `;`",
                "18: drop `break;` -> `;`",
                "21: drop `p->next = a ? f(a, text) : found;` -> `;`",
                "22: number `0x10u` -> `0x11u`",
                "22: arithmetic `-` -> `+`",
        ]:
            self.assertIn(wanted, found)

    def test_left_alone(self):
        lines = {int(text.split(":")[0]) for text in described()}
        self.assertFalse(lines & {1, 2, 3, 4, 8, 9, 20})
        self.assertFalse([text for text in described() if "drop `i" in text])
        self.assertEqual([text for text in described() if text.startswith("7:")],
                         ["7: number `4` -> `3`"])
        # A declaration cannot be dropped: what follows would not compile.
        self.assertNotIn("6: drop `int found = 0;` -> `;`", described())

    def test_apply_keeps_lines(self):
        for mutant in operators.mutants_of("f.c", TEXT):
            changed = mutant.apply(TEXT)
            self.assertNotEqual(changed, TEXT)
            self.assertEqual(changed.count("\n"), TEXT.count("\n"))


if __name__ == "__main__":
    unittest.main()
