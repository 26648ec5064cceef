"""American spelling and the width of prose."""

import re
from fnmatch import fnmatch
from pathlib import Path

from repository import words
from repository.sources import Violation, read, text_files

WIDTH = 110
STEMS = "|".join(sorted(set(words.ISE), key=len, reverse=True))
ISE = re.compile(rf"({STEMS})is(e|ed|es|er|ers|ing|ation|ations|able)")
ANY_WORD = re.compile(r"[A-Za-z]+")
# A word inside a name in camel case begins with a capital.
CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def american(word: str) -> str:
    """Return the American spelling of a British word, in lower case; empty for any other word."""
    word = word.lower()
    for british, better in words.BRITISH.items():
        if word == british.removesuffix("$"):
            return better
        if word.startswith(british):
            return better + word[len(british) :]
    for prefix in ("", "un", "re", "de", "over", "under", "pre", "non"):
        match = ISE.fullmatch(word.removeprefix(prefix)) if word.startswith(prefix) else None
        if match:
            return f"{prefix}{match[1]}iz{match[2]}"
    return ""


def british_words(root: Path) -> list[Violation]:
    """Return the British spellings in all text files."""
    violations = []
    cache: dict[str, str] = {}
    for path in text_files(root):
        excepted = [text for pattern, text in words.SPELLING_EXCEPTIONS if fnmatch(path, pattern)]
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if any(text in line for text in excepted):
                continue
            for run in ANY_WORD.findall(line):
                for word in CAMEL.findall(run):
                    if word not in cache:
                        cache[word] = american(word)
                    if cache[word]:
                        text = f"{word!r} is British; write {cache[word]!r}"
                        violations.append(Violation(path, number, text))
    return violations


def wide_prose(root: Path) -> list[Violation]:
    """Return the lines of prose that are too wide; tables, code and addresses cannot be wrapped."""
    violations = []
    for path in text_files(root):
        if not path.endswith(".md"):
            continue
        in_code = False
        for number, line in enumerate(read(root, path).splitlines(), 1):
            if line.lstrip().startswith("```"):
                in_code = not in_code
            free = not in_code and not line.lstrip().startswith(("|", "    ", "http", "!["))
            if free and len(line) > WIDTH and " " in line.strip():
                violations.append(
                    Violation(path, number, f"{len(line)} characters; {WIDTH} is the width")
                )
    return violations
