import shutil

import pytest

from syllabary import provenance


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package of the same shape: two steps, modules behind them, a registry folder."""
    files = {
        "steps/__init__.py": "from .draw import draw\nfrom .fit import fit\n",
        "steps/fit.py": (
            "from ..ground import helper\ndef fit():\n    from ..models import model\n    helper()\n"
        ),
        "steps/draw.py": (
            "from ..ground import helper\n"
            "def draw():\n    from .. import registry\n    registry.find('syllabary.drawings', 'one')\n"
            "def unused():\n    helper()\n"
        ),
        "ground.py": "def helper():\n    return 1\n",
        "models/__init__.py": '"""Front page."""\n',
        "models/model.py": "from ..algebra import chain\n",
        "algebra/__init__.py": "",
        "algebra/chain.py": 'def sweep():\n    """Words."""\n    return 1  # why\n',
        "drawings/__init__.py": "",
        "drawings/one.py": "color = 'red'\n",
        "drawings/templates/page.html": "<p>red</p>",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    provenance.code_of.cache_clear()
    provenance._parsed.cache_clear()


def digests():
    forget()
    return provenance.code_of("fit"), provenance.code_of("draw")


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edit_changes_the_steps_that_reach_it_and_no_others(package):
    fit, draw = digests()
    edit(package / "algebra/chain.py", "return 1", "return 2")
    assert digests()[0] != fit
    assert digests()[1] == draw


def test_comments_and_docstrings_do_not_count(package):
    before = digests()
    edit(package / "algebra/chain.py", '"""Words."""', '"""Other words."""')
    edit(package / "algebra/chain.py", "# why", "# because")
    edit(package / "models/__init__.py", "Front page", "Title page")
    assert digests() == before


def test_a_registry_reaches_its_whole_folder(package):
    fit, draw = digests()
    edit(package / "drawings/one.py", "red", "blue")
    assert digests()[0] == fit
    assert digests()[1] != draw


def test_templates_count_for_the_package_that_holds_them(package):
    fit, draw = digests()
    edit(package / "drawings/templates/page.html", "red", "blue")
    assert digests()[0] == fit
    assert digests()[1] != draw


def test_module_level_helpers_of_steps_count_for_those_who_use_them(package):
    fit, draw = digests()
    edit(package / "ground.py", "return 1", "return 2")
    assert digests()[0] != fit
    assert digests()[1] == draw


def test_record_survives_json():
    made = provenance.Provenance("fit", {"a": 1}, 3, {"x": "y"}, "code")
    assert provenance.Provenance.from_json(made.to_json()) == made


def test_digest_tells_contents_apart_and_names_do_not_matter(tmp_path):
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(text)
    a, b, c = (provenance.digest(tmp_path / name) for name in "abc")
    assert a == b != c


def test_digest_of_a_folder_covers_its_files(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one/x").write_text("1")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    assert provenance.digest(tmp_path / "one") == provenance.digest(tmp_path / "two")
    (tmp_path / "two/x").write_text("2")
    assert provenance.digest(tmp_path / "one") != provenance.digest(tmp_path / "two")


def test_large_files_are_sampled_with_both_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "WHOLE_FILE_LIMIT", 1000)
    monkeypatch.setattr(provenance, "BLOCK", 10)
    path = tmp_path / "raw"
    path.write_bytes(bytes(2000))
    whole = provenance.digest(path)
    assert whole.startswith("sampled-")
    for place in (0, 1999):
        content = bytearray(2000)
        content[place] = 1
        path.write_bytes(content)
        assert provenance.digest(path) != whole


def test_generators_depend_on_seed_and_names_alone():
    def draw(*key):
        return provenance.generator(*key).random(4).tolist()

    assert draw(1, "a") == draw(1, "a")
    assert draw(1, "a") != draw(2, "a")
    assert draw(1, "a", "b") != draw(1, "ab")


def test_a_step_must_be_the_function_of_its_file(package):
    with pytest.raises(KeyError, match=r"steps/draws\.py defines no function 'draws'"):
        provenance.code_of("draws")
