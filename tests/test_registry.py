from pathlib import Path

import pytest

from syllabary import records, registry
from syllabary.errors import UnknownName

FOLDER = Path(records.__file__).parent


def test_names_are_the_files_of_the_folder():
    files = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
    assert registry.names("syllabary.records") == files
    assert {"crops", "tables"} <= set(files)


def test_find_imports_one_file():
    assert registry.find("syllabary.records", "tables").__name__ == "syllabary.records.tables"


def test_a_mistyped_name_gets_the_nearest_one():
    with pytest.raises(
        UnknownName, match=r"no records 'tabels'; did you mean 'tables'\? Known: annotations, "
    ):
        registry.find("syllabary.records", "tabels")


def test_a_file_is_not_a_folder():
    with pytest.raises(UnknownName, match="not a folder"):
        registry.names("syllabary.errors")
