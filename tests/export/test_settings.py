import pytest

from syllabary.errors import UnknownName
from syllabary.export.settings import ExportSettings, require_formats


def test_the_default_formats_exist():
    require_formats(ExportSettings())


def test_a_wrong_format_names_the_nearest():
    with pytest.raises(
        UnknownName, match=r"no export 'parqet'; did you mean 'parquet'\? Known: boris, csv"
    ):
        require_formats(ExportSettings(formats=["csv", "parqet"]))
