"""Check that a Matroska file is whole, by the lengths of its elements (RFC 9559, RFC 8794).

FFmpeg skips damaged parts without an error. A file that was never closed does not hold its length and
cannot be checked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ...errors import BadInput

__all__ = ["require_length", "require_whole"]

HEADER, SEGMENT, CLUSTER = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
WAY_OUT = "copy it again, or set extract.source.timestamps to 'cut' to take what there is"


class Element(NamedTuple):
    """Name of an element, and where its content begins and ends; None if its length is unknown."""

    name: bytes
    start: int
    end: int | None


def require_length(path: Path) -> None:
    """Raise ``BadInput`` for a file that is shorter than its header promises."""
    with path.open("rb") as file:
        _segment(file, path)


def require_whole(path: Path) -> None:
    """Raise ``BadInput`` where elements do not fill the one that holds them."""
    with path.open("rb") as file:
        segment = _segment(file, path)
        if segment is None:
            return
        for element in _inside(file, segment, path):
            if element.name == CLUSTER and element.end is not None:
                for _ in _inside(file, element, path):
                    pass


def _segment(file: BinaryIO, path: Path) -> Element | None:
    """Return the segment, which holds all but the header; None if its length is unknown."""
    segment = None
    header = _element(file, 0)
    if header is not None and header.name == HEADER and header.end is not None:
        segment = _element(file, header.end)
    if segment is None or segment.name != SEGMENT or segment.end is None:
        return None
    size = path.stat().st_size
    if segment.end > size:
        raise BadInput(
            f"{path}: has {size} of the {segment.end} bytes that its header promises; {WAY_OUT}."
        )
    return segment


def _inside(file: BinaryIO, parent: Element, path: Path) -> Iterator[Element]:
    """Yield the elements of another, as far as their lengths are known."""
    place = parent.start
    while parent.end is not None and place < parent.end:
        element = _element(file, place)
        if element is None or (element.end is not None and element.end > parent.end):
            raise BadInput(f"{path}: is damaged {place} bytes after its beginning; {WAY_OUT}.")
        yield element
        if element.end is None:
            return
        place = element.end


def _element(file: BinaryIO, place: int) -> Element | None:
    """Read name and length of the element at a place; None if there is none."""
    file.seek(place)
    head = file.read(12)
    # Both numbers begin with as many bits as they have bytes, of which the last is one.
    name = 9 - head[0].bit_length() if head else 9
    if name > 4 or len(head) <= name:
        return None
    size = 9 - head[name].bit_length()
    if size > 8 or len(head) < name + size:
        return None
    mask = (1 << 7 * size) - 1
    length = int.from_bytes(head[name : name + size], "big") & mask
    start = place + name + size
    return Element(head[:name], start, None if length == mask else start + length)
