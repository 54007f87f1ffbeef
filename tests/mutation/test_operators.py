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
                "9: never `(a < 3 && !text)` -> `(0 && (a < 3 && !text))`",
                "9: negate `(a < 3 && !text)` -> `(!(a < 3 && !text))`",
                "9: relation `<` -> `<=`",
                "9: logic `&&` -> `||`",
                "9: number `3` -> `2`",
                "10: not `!` -> ``",
                "11: return `a` -> `0`",
                "12: arithmetic `++` -> `--`",
                "13: drop `found += text[i] == '<';` -> `;`",
                "13: relation `==` -> `!=`",
                "16: drop `free(text);` -> `;`",
                "17: drop `break;` -> `;`",
                "20: drop `p->next = a ? f(a, text) : found;` -> `;`",
                "21: number `0x10u` -> `0x11u`",
                "21: arithmetic `-` -> `+`",
        ]:
            self.assertIn(wanted, found)

    def test_left_alone(self):
        lines = {int(text.split(":")[0]) for text in described()}
        self.assertFalse(lines & {1, 2, 3, 4, 7, 8, 19})
        self.assertFalse([text for text in described() if "drop `i" in text])
        # A declaration cannot be dropped: what follows would not compile.
        self.assertNotIn("6: drop `int found = 0;` -> `;`", described())

    def test_apply_keeps_lines(self):
        for mutant in operators.mutants_of("f.c", TEXT):
            changed = mutant.apply(TEXT)
            self.assertNotEqual(changed, TEXT)
            self.assertEqual(changed.count("\n"), TEXT.count("\n"))


if __name__ == "__main__":
    unittest.main()
