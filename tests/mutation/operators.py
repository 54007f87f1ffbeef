"""Small faults in C: what tests/mutate puts into a source file, one at a time.

The text is split into tokens, so that comments, strings and preprocessor
lines are never touched, and only the bodies of functions are changed.  The
arguments of assert and of the log are left alone: they are not behaviour.
"""
import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"(?P<comment>/\*.*?\*/|//[^\n]*)"
    r"|(?P<directive>^[ \t]*\#(?:\\\n|/\*.*?\*/|[^\n])*)"
    r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<number>\d[\w.]*)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\|"
    r"|[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])",
    re.S | re.M,
)

# Nothing inside the parentheses of these is changed, nor is the call dropped.
QUIET = {
    "assert", "static_assert", "log_error", "log_warning", "log_info",
    "log_debug", "log_line", "sizeof", "offsetof", "_Static_assert",
}
TYPE_WORDS = {
    "struct", "enum", "union", "const", "static", "volatile", "unsigned",
    "int", "char", "bool", "void", "long", "short", "double", "float",
    "size_t", "ssize_t", "va_list", "_cleanup_", "extern",
}
NO_STATEMENT = {
    "return", "break", "continue", "goto", "if", "else", "while", "for", "do",
    "switch", "case", "default",
} | TYPE_WORDS

REPLACED = {
    "<": ["<="], "<=": ["<"], ">": [">="], ">=": [">"],
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
    "+=": ["-="], "-=": ["+="], "|=": ["&="], "&=": ["|="],
    "<<": [">>"], ">>": ["<<"], "++": ["--"], "--": ["++"],
    "/": ["*"], "%": ["/"], "^": ["|"],
}
REPLACED_BINARY = {"+": ["-"], "-": ["+"], "&": ["|"], "|": ["&"]}
KINDS = {
    "<": "relation", "<=": "relation", ">": "relation", ">=": "relation",
    "==": "relation", "!=": "relation", "&&": "logic", "||": "logic",
}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    column: int
    operator: str
    start: int
    end: int
    after: str
    before: str
    source_line: str

    def apply(self, text):
        # Newlines stay, so that no line number moves.
        lost = text.count("\n", self.start, self.end) - self.after.count("\n")
        return text[:self.start] + self.after + "\n" * lost + text[self.end:]

    def change(self):
        return f"`{shorten(self.before)}` -> `{shorten(self.after)}`"

    def describe(self):
        return f"{self.path}:{self.line}: {self.operator} {self.change()}"

    def key(self):
        """What the list of equivalent mutants knows it by."""
        return f"{self.path}: {self.operator} {self.change()}: {self.source_line}"


def shorten(text):
    return " ".join(text.split())


def tokens_of(text):
    """All but white space, comments and preprocessor lines."""
    return [
        Token(match.lastgroup, match.group(), match.start(), match.end())
        for match in TOKEN.finditer(text)
        if match.lastgroup not in ("comment", "directive")
    ]


def close_of(tokens, index):
    """The index of the bracket that closes the one at index."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    depth = 0
    for at in range(index, len(tokens)):
        text = tokens[at].text
        if tokens[at].kind != "operator":
            continue
        if text in pairs:
            depth += 1
        elif text in pairs.values():
            depth -= 1
            if depth == 0:
                return at
    return len(tokens) - 1


def bodies_of(tokens):
    """Index ranges of the function bodies."""
    at = 0
    while at < len(tokens):
        if tokens[at].text == "{":
            end = close_of(tokens, at)
            if at and tokens[at - 1].text == ")":
                yield at + 1, end
            at = end
        at += 1


def is_value(token):
    """Whether an expression may end with the token: what follows is binary."""
    return token.kind in ("number", "string") or token.text in (")", "]") or (
        token.kind == "name" and token.text not in NO_STATEMENT
        and token.text != "sizeof")


def numbers_beside(text):
    """The number one more, one less; suffix and base stay."""
    match = re.fullmatch(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)", text)
    if not match:
        return []
    digits, suffix = match.groups()
    base = 16 if digits[:2].lower() == "0x" else 10
    if base == 10 and len(digits) > 1 and digits[0] == "0":
        base = 8
    value = int(digits, base)
    form = {16: "0x{:x}", 10: "{}", 8: "0{:o}"}[base]
    near = [value + 1] + ([value - 1] if value else [])
    return [form.format(number) + suffix for number in near]


def is_cast(tokens, index):
    """Whether the ( at index opens a cast such as (uint8_t)."""
    close = close_of(tokens, index)
    words = tokens[index + 1:close]
    return bool(words) and all(
        token.kind == "name" or token.text == "*" for token in words) and (
        words[0].text in TYPE_WORDS or words[0].text.endswith("_t"))


def statement_end(tokens, start, end):
    """The ; that ends the statement at start, when it holds no block."""
    depth = 0
    for at in range(start, end):
        text = tokens[at].text
        if tokens[at].kind != "operator":
            continue
        if text in "([":
            depth += 1
        elif text in ")]":
            depth -= 1
        elif text in "{}":
            return None
        elif text == ";" and depth == 0:
            return at
    return None


def is_plain_statement(tokens, start, end):
    """A call or an assignment, not a declaration."""
    first = tokens[start]
    if first.kind not in ("name", "operator") or first.text in NO_STATEMENT:
        return False
    if first.text in QUIET or first.text.endswith("_t"):
        return False
    if first.kind == "operator" and first.text not in ("*", "(", "++", "--"):
        return False
    second = tokens[start + 1]
    if first.kind == "name" and (second.kind == "name" or second.text in ("*", ":")):
        return False
    return end > start


class Finder:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.tokens = tokens_of(text)
        self.found = []

    def add(self, operator, first, last, after):
        start, end = self.tokens[first].start, self.tokens[last].end
        line_start = self.text.rfind("\n", 0, start) + 1
        line_end = self.text.find("\n", start)
        self.found.append(Mutant(
            self.path, self.text.count("\n", 0, start) + 1, start - line_start,
            operator, start, end, after, self.text[start:end],
            shorten(self.text[line_start:line_end])))

    def condition(self, index):
        """The condition after if or while: always, never, the opposite."""
        first, last = index + 1, close_of(self.tokens, index + 1)
        if self.tokens[first].text != "(":
            return
        inside = self.text[self.tokens[first].start:self.tokens[last].end]
        self.add("negate", first, last, f"(!{inside})")
        if self.tokens[index].text == "if":
            self.add("never", first, last, f"(0 && {inside})")
            self.add("always", first, last, f"(1 || {inside})")

    def returned(self, index, end):
        last = statement_end(self.tokens, index, end)
        if last is None or last == index + 1:
            return
        value = self.text[self.tokens[index + 1].start:self.tokens[last - 1].end]
        if value not in ("0", "true", "false", "NULL"):
            self.add("return", index + 1, last - 1, "0")

    def statement(self, index, end):
        before = self.tokens[index - 1].text
        if before not in (";", "{", "}", ")", "else", ":"):
            return
        if before == ":" and not self.after_label(index - 1):
            return
        if before == ")" and not self.after_condition(index - 1):
            return
        last = statement_end(self.tokens, index, end)
        if last is None:
            return
        if self.tokens[index].text in ("break", "continue") and last == index + 1:
            self.add("drop", index, last, ";")
        elif is_plain_statement(self.tokens, index, last):
            self.add("drop", index, last, ";")

    def after_label(self, colon):
        """Whether the : ends a label and not the middle of a choice."""
        for at in range(colon, 0, -1):
            text = self.tokens[at].text
            if text in ("case", "default"):
                return True
            if text in ("?", ";", "{", "}"):
                return False
        return False

    def after_condition(self, close):
        """Whether the ) at close ends the head of an if, while or for."""
        depth = 0
        for at in range(close, 0, -1):
            text = self.tokens[at].text
            depth += (text == ")") - (text == "(")
            if depth == 0:
                return self.tokens[at - 1].text in ("if", "while", "for")
        return False

    def token(self, index):
        token, before = self.tokens[index], self.tokens[index - 1]
        if token.kind == "number":
            near = numbers_beside(token.text)
            # An array that is larger than it must be differs in nothing.
            for number in near[1:] if self.is_array_size(index) else near:
                self.add("number", index, index, number)
        elif token.text in ("true", "false"):
            self.add("truth", index, index,
                     "false" if token.text == "true" else "true")
        elif token.kind != "operator":
            return
        elif token.text == "!":
            self.add("not", index, index, "")
        elif token.text in REPLACED:
            for after in REPLACED[token.text]:
                self.add(KINDS.get(token.text, "arithmetic"), index, index, after)
        elif token.text in REPLACED_BINARY and is_value(before):
            if before.text == ")" and self.closes_cast(index - 1):
                return
            for after in REPLACED_BINARY[token.text]:
                self.add("arithmetic", index, index, after)

    def closes_cast(self, close):
        depth = 0
        for at in range(close, 0, -1):
            text = self.tokens[at].text
            depth += (text == ")") - (text == "(")
            if depth == 0:
                return is_cast(self.tokens, at)
        return False

    def is_array_size(self, index):
        """Whether the number at index stands in a declaration: TYPE NAME[N]."""
        return (self.tokens[index - 1].text == "[" and self.tokens[index + 1].text == "]"
                and self.tokens[index - 2].kind == "name"
                and (self.tokens[index - 3].kind == "name" or self.tokens[index - 3].text == "*")
                and self.tokens[index - 3].text not in ("return", "else", "case"))

    def body(self, start, end):
        at = start
        depth = 0
        while at < end:
            token = self.tokens[at]
            if token.kind == "operator":
                depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
            if token.text in QUIET and self.tokens[at + 1].text == "(":
                at = close_of(self.tokens, at + 1) + 1
                continue
            if token.text in ("if", "while"):
                self.condition(at)
            elif token.text == "return":
                self.returned(at, end)
            if depth == 0 or token.text == "(":
                self.statement(at, end)
            self.token(at)
            at += 1

    def mutants(self):
        for start, end in bodies_of(self.tokens):
            self.body(start, end)
        return self.found


def mutants_of(path, text):
    """Every mutant of one source file, in the order of the text."""
    return Finder(path, text).mutants()
