"""The repository keeps its own rules, and each check finds what it is for."""

from pathlib import Path

import pytest

from repository import (
    docstrings,
    identifiers,
    imports,
    package_docstrings,
    sizes,
    spelling,
    typing_rules,
)
from repository.checks import CHECKS

ROOT = Path(__file__).parents[2]
PACKAGE = "pipeline/syllabary"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.__module__}.{check.__name__}")
def test_the_repository_has_no_violations(check):
    assert [str(violation) for violation in check(ROOT)] == []


@pytest.fixture
def lay(tmp_path):
    """Write files into an empty repository."""

    def write(texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def texts(violations):
    return [str(violation) for violation in violations]


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("found = 1", "found"),
        ("def fit(most_steps): pass", "most"),
        ("class Recogniser: pass", "recogniser"),
        ("class Model:\n    own_mean: float", "own"),
        ("self.coreRegion = 2", "core"),
        ("import a as pages", "pages"),
        ("for one in (1, 2): pass", "one"),
        ("COLUMNS = ('time_s', 'found')", "found"),
        ("def test_sweeps_end(): pass", "sweeps"),
    ],
)
def test_a_refused_word_is_found_wherever_a_name_is_bound(code, word, lay):
    [line] = texts(identifiers.refused_words(lay({f"{PACKAGE}/x.py": code})))
    assert line.startswith(f"{PACKAGE}/x.py:") and f"uses {word!r}; say " in line


@pytest.mark.parametrize(
    "code",
    [
        "profound = 1",
        "one_thread = 1",
        "baseline = 1",
        "import base",
        "x.view(1)",
        "def test_the_least_known_animal_is_found(): pass",
        "'found'",
    ],
)
def test_other_words_are_left_alone(code, lay):
    assert identifiers.refused_words(lay({f"{PACKAGE}/x.py": code})) == []


def test_a_refused_word_is_found_in_the_name_of_a_file(lay):
    [line] = texts(identifiers.refused_words(lay({f"{PACKAGE}/foresight.py": ""})))
    assert "say forecasting" in line


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("Behavioural", "behavioral"),
        ("normaliser", "normalizer"),
        ("unnormalised", "unnormalized"),
        ("centred", "centered"),
        ("labelled", "labeled"),
        ("analyse", "analyze"),
        ("grey", "gray"),
    ],
)
def test_british_words_are_found(british, american, lay):
    root = lay({"tests/x.py": f"# {british}\nx_{british.lower()} = 1"})
    assert [violation.line for violation in spelling.british_words(root)] == [1, 2]
    assert spelling.american(british) == american


@pytest.mark.parametrize(
    "word", ["analyses", "optimistic", "realistic", "parameter", "emphasis", "size"]
)
def test_american_words_are_left_alone(word):
    assert not spelling.american(word)


def test_prose_is_wrapped_but_tables_and_code_are_not(tmp_path):
    long = "word " * 30
    (tmp_path / "a.md").write_text(f"{long}\n| {long} |\n```\n{long}\n```\n")
    assert [violation.line for violation in spelling.wide_prose(tmp_path)] == [1]


def test_any_is_counted(lay, monkeypatch):
    root = lay({f"{PACKAGE}/x.py": "from typing import Any\na: Any\nb: list[Any]"})
    assert typing_rules.too_many_any(root) == []
    monkeypatch.setattr(typing_rules, "MAX_ANY", 1)
    [line] = texts(typing_rules.too_many_any(root))
    assert "2 in the package, 1 allowed" in line


@pytest.mark.parametrize(
    "code", ["def f(prior: ModuleType): pass", "hasattr(prior, 'merge')", "prior.Evidence is Points"]
)
def test_a_prior_without_a_type_is_found(code, lay):
    assert len(typing_rules.untyped_priors(lay({f"{PACKAGE}/svae/x.py": code}))) == 1


HEAD = 'def f(a: Tensor, b: int) -> None:\n    """Sum.\n\n    Parameters\n    ----------\n'


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("    a : (T, D)\n    b : int\n", ""),
        ("    a, b\n        An array (T,) and its sum.\n", ""),
        ("    b : int\n    a : (T, D)\n", "documents b, a in another order"),
        ("    a : (T, D)\n", "does not document 'b'"),
        ("    a : (T, D)\n    b : int\n    c : int\n", "documents 'c', which it does not take"),
        ("    a : float\n    b : int\n", "gives no shape of 'a'"),
    ],
)
def test_docstrings_agree_with_signatures(section, fault, lay):
    root = lay({f"{PACKAGE}/svae/x.py": f'{HEAD}{section}    """\n'})
    lines = texts(docstrings.disagreements(root))
    assert [fault in line for line in lines] == ([True] if fault else [])


def test_a_public_function_of_arrays_needs_a_section(lay):
    code = '__all__ = ["f"]\ndef f(a: Tensor): "Sum."\ndef g(a: Tensor): "Sum."\n'
    [line] = texts(docstrings.disagreements(lay({f"{PACKAGE}/svae/x.py": code})))
    assert "f: has arrays (a) but no section Parameters" in line


def test_long_files_and_functions_are_found(lay):
    body = "\n".join(f'    """Text."""\n\n    # Why.\n    x{i} = {i}' for i in range(61))
    root = lay({f"{PACKAGE}/x.py": f"def f():\n{body}\n", "tests/x.py": "\n" * 501})
    assert [v.path for v in sizes.long_files(root)] == ["tests/x.py"]
    [line] = texts(sizes.long_functions(root))
    assert "f has 62 lines of code" in line


def test_long_texts_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "TEXT_LINES", {"README.md": 2})
    (tmp_path / "README.md").write_text("1\n2\n3\n")
    assert texts(sizes.long_texts(tmp_path)) == ["README.md:3: 3 lines; 2 allowed"]


def test_many_arguments_are_found(lay):
    names = ", ".join(f"a{i}" for i in range(10))
    code = f"def f({names}, *, b): pass\nclass C:\n    def g(self, {names}): pass\n"
    [line] = texts(sizes.long_functions(lay({f"{PACKAGE}/x.py": code})))
    assert "f takes 11 arguments" in line


def test_crowded_folders_and_few_tests_are_found(lay):
    root = lay({f"{PACKAGE}/svae/m{i}.py": "x = 1\n" for i in range(16)})
    [line] = texts(sizes.crowded_folders(root))
    assert "16 files" in line
    assert len(sizes.few_tests(root)) == 1


def test_cycles_of_types_and_of_functions_are_found(lay):
    root = lay(
        {
            f"{PACKAGE}/a.py": "from . import b",
            f"{PACKAGE}/b.py": "if TYPE_CHECKING:\n    from .c import C",
            f"{PACKAGE}/c.py": "class C: pass\ndef f():\n    from syllabary import a",
            f"{PACKAGE}/d.py": "from . import a",
        }
    )
    [line] = texts(imports.cycles(root))
    assert line.endswith("imports go in a circle: a, b, c")


def test_private_names_stay_in_their_module(lay):
    root = lay(
        {
            f"{PACKAGE}/a/_x.py": "_f = 1",
            f"{PACKAGE}/a/y.py": "from . import _x\nfrom ._x import g\n",
            f"{PACKAGE}/b/z.py": "from ..a import _x, y\nfrom ..a.y import _g\ny._f()\n",
        }
    )
    lines = texts(imports.private_imports(root))
    assert [line.split(": ", 1)[1].split(";")[0] for line in lines] == [
        "imports a._x from another folder",
        "imports _g from a.y",
        "uses y._f",
    ]


def test_names_that_a_module_offers_are_there(lay):
    root = lay(
        {
            f"{PACKAGE}/a/__init__.py": "from .x import f\n__all__ = ['f', 'x', 'h']",
            f"{PACKAGE}/a/x.py": "f = 1",
        }
    )
    [line] = texts(imports.absent_names(root))
    assert "__all__ has 'h', which is not there" in line


def test_reading_orders_name_the_modules_that_are_there(lay):
    docstring = '"""Text.\n\nIn reading order: ``x`` (then ``f``), ``gone``, and ``inner/``.\n"""\n'
    root = lay(
        {
            f"{PACKAGE}/a/__init__.py": docstring,
            f"{PACKAGE}/a/x.py": "",
            f"{PACKAGE}/a/y.py": "",
            f"{PACKAGE}/a/inner/z.py": "",
            f"{PACKAGE}/b/__init__.py": '"""Text."""\nSHARED = ()\n',
            f"{PACKAGE}/b/member.py": "",
        }
    )
    assert [violation.text for violation in package_docstrings.stale_reading_orders(root)] == [
        "the reading order names 'gone', which is not there",
        "the docstring does not name 'y'",
    ]
