import pytest

from syllabary import registry
from syllabary.errors import UnknownName


def test_names_are_the_files_of_the_folder():
    assert registry.names("syllabary.records") == [
        "annotations",
        "clips",
        "crops",
        "files",
        "posterior",
        "tables",
        "tsv",
    ]


def test_find_imports_one_file():
    assert registry.find("syllabary.records", "tables").__name__ == "syllabary.records.tables"


def test_a_mistyped_name_gets_the_nearest_one():
    with pytest.raises(
        UnknownName, match=r"no records 'tabels'; did you mean 'tables'\? Known: annotations, clips"
    ):
        registry.find("syllabary.records", "tabels")


def test_a_file_is_not_a_folder():
    with pytest.raises(UnknownName, match="not a folder"):
        registry.names("syllabary.errors")
