"""Tables that people write: forgiving about spaces, exact about lines and columns."""

import csv
import io

import pytest

from syllabary.errors import BadInput
from syllabary.records import tsv


@pytest.fixture
def read(tmp_path):
    def make(text, required=("recording", "group")):
        path = tmp_path / "table.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return tsv.read(path, required)

    return make


def test_comments_blank_lines_and_spaces_are_ignored(read):
    table = read("# made by hand\n\n recording \tgroup\n m1\tdrug \n  # later\nm2\tcontrol\n")
    assert table.to_dict("list") == {"recording": ["m1", "m2"], "group": ["drug", "control"]}


def test_rows_are_indexed_by_lines_of_the_file(read):
    assert read("# one\nrecording\tgroup\n\nm1\ta\nm2\tb\n").index.tolist() == [4, 5]


def test_every_cell_is_text_and_short_rows_are_filled(read):
    table = read("recording\tgroup\tage\n01\ta\t7\n02\n")
    assert table["recording"].tolist() == ["01", "02"]
    assert table.loc[3].tolist() == ["02", "", ""]


def test_quotes_within_and_commas_are_text(read):
    assert read('recording\tgroup\n5" m1\ta,b\n').iloc[0].tolist() == ['5" m1', "a,b"]


TABLE = (("Recording", "group", "note"), ("007", 'a "b", c', "1,5"), ("20240501", "x;y", ""))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_spreadsheet_is_read_as_it_was_saved(read, separator, encoding, newline):
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=separator, lineterminator=newline).writerows(
        [*((*row, "", "") for row in TABLE), ("",) * 5]
    )
    table = read(buffer.getvalue().encode(encoding))
    assert table.columns.tolist() == ["recording", "group", "note"]
    assert [tuple(row) for row in table.to_numpy()] == list(TABLE[1:])


def test_a_byte_order_mark_and_windows_lines_are_read(read):
    table = read(b"\xef\xbb\xbfrecording\tgroup\r\nm1\ta\r\n")
    assert table.columns.tolist() == ["recording", "group"] and table.iloc[0, 1] == "a"


def test_empty_cells_beyond_the_last_column_do_not_matter(read):
    table = read("recording\tgroup\t\t\nm1\ta\t\t\n")
    assert table.columns.tolist() == ["recording", "group"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it needs a first line with recording, group"),
        ("# nothing\n", "is empty"),
        ("recording|group\n", "lacks the column recording, group; it has recording|group"),
        ('recording\tgroup\n"m1\ta\nm2\tb\n', "line 2: a cell begins with a quote that does not end it"),
        ('recording,group\n"m\n1",a\n', "line 2: a cell has several lines"),
        ("recording,,group\nm1,x,a\n", "line 2: cell 2 has no name"),
        ("recording,Recording,group\n", "two columns 'recording'"),
        ("recording,group\nm1\x00,a\n", r"line 2: holds the character '\\x00'"),
        ("recording,group\n".encode("utf-16-le"), "holds the character"),
        ("recording\tgroup\tgroup\n", "two columns 'group'"),
        ("recording\tgroup\nm1\ta\tb\n", "line 2: 3 cells, but the first line names 2"),
        (b"recording\tgroup\nm\xfc\ta\n", "is not UTF-8 text"),
    ],
)
def test_a_wrong_table_is_refused_with_its_reason(read, text, message):
    with pytest.raises(BadInput, match=message.replace("|", "[|]")):
        read(text)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        tsv.read(tmp_path / "none.tsv", ("recording",))
