"""What can be wrong with a recording, from a seed.

``damaged`` makes copies of whole recordings, each with one kind of damage, and tells by which.
Nothing here is shared with the package.
"""

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from oracles.small_recordings import COLUMNS, COUNT, ROWS, TIMES_MS, frames

Damage = Callable[[Path, np.random.Generator], None]


def damaged(whole: dict[str, Path], folder: Path, seed: int, count: int) -> Iterator[tuple[str, Path]]:
    """Write ``count`` damaged recordings, one after the other; yield what was done and the path.

    Every damage is done to every format it can befall, as often as the count allows.
    """
    rng = np.random.default_rng(seed)
    damages = [(name, damage) for damage, names in DAMAGES.items() for name in names]
    for i in range(count):
        name, damage = damages[i % len(damages)]
        source = whole[name]
        place = folder / f"{i:04d}"
        root = source if source.is_dir() else source.parent
        shutil.copytree(root, place)
        path = place if source.is_dir() else place / source.name
        damage(path, rng)
        yield f"{i:04d} {name} {damage.__name__}", path


# Damage to any file: of the recording's own, or of one of its companions.


def _any_file(path: Path, rng: np.random.Generator) -> Path:
    return sorted(path.iterdir())[rng.integers(len(list(path.iterdir())))] if path.is_dir() else path


def cut_short(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    content = file.read_bytes()
    file.write_bytes(content[: rng.integers(len(content))])


def cut_in_the_header(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    file.write_bytes(file.read_bytes()[: rng.integers(1, 200)])


def empty(path: Path, rng: np.random.Generator) -> None:
    _any_file(path, rng).write_bytes(b"")


def header_bytes_flipped(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 6)):
        content[rng.integers(min(len(content), 600))] ^= 1 << rng.integers(8)
    file.write_bytes(content)


def header_bytes_drawn(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    content = bytearray(file.read_bytes())
    start = rng.integers(min(len(content), 800))
    content[start : start + 8] = rng.bytes(len(content[start : start + 8]))
    file.write_bytes(content)


def bytes_flipped(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 12)):
        content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    file.write_bytes(content)


def a_block_of_zeros(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    content = bytearray(file.read_bytes())
    start = rng.integers(len(content))
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))
    file.write_bytes(content)


def a_block_of_ones(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    content = bytearray(file.read_bytes())
    start = rng.integers(min(len(content), 2000))
    content[start : start + 64] = b"\xff" * len(content[start : start + 64])
    file.write_bytes(content)


def noise(path: Path, rng: np.random.Generator) -> None:
    _any_file(path, rng).write_bytes(rng.bytes(5000))


def garbage_at_the_end(path: Path, rng: np.random.Generator) -> None:
    with _any_file(path, rng).open("ab") as file:
        file.write(rng.bytes(rng.integers(1, 3000)))


# Damage to what a session holds.


def a_part_missing(path: Path, rng: np.random.Generator) -> None:
    _any_file(path, rng).unlink()


def wrong_metadata(path: Path, rng: np.random.Generator) -> None:
    nines = "9" * 6000
    sizes = (
        *("[512, 424]", "[0, 60]", "[-80, -60]", "[1e400, 60]", "[NaN, 60]", '"80x60"', '{"a": 1}'),
        *("[500000, 100000]", "[60, 80]", "[1, 1]", "[4800, 1]", "true", f"[{nines}, 60]"),
    )
    others = (
        *('"DepthDataType": "Byte[]"', '"DepthDataType": ["UInt16[]"]', '"DepthDataType": "Int32[]"'),
        *('"DepthDataType": "Single[]"', '"IsLittleEndian": false', '"DepthIntrinsics": [1, 2, 3]'),
        *('"DepthIntrinsics": {"fx_px": "wide"}', '"SubjectName": {"a": [1]}, "StartTime": 5'),
    )
    texts = [
        *(f'{{"DepthResolution": {size}}}' for size in sizes),
        *(f'{{"DepthResolution": [80, 60], {other}}}' for other in others),
        *("[" * 100_000, '{"a": ' * 5000, nines, "null", "\udcff"),
    ]
    text = texts[rng.integers(len(texts))]
    (path / "metadata.json").write_bytes(text.encode("utf-8", "surrogateescape"))


def wrong_timestamps(path: Path, rng: np.random.Generator) -> None:
    times = TIMES_MS.copy()
    at = rng.integers(1, COUNT)
    choice = rng.integers(14)
    times = np.concatenate([
        *([np.full(COUNT, 7.0)] if choice == 0 else []),
        *([times[::-1]] if choice == 1 else []),
        *([np.delete(times, at)] if choice == 2 else []),
        *([np.append(times, [9e5, 9.1e5])] if choice == 3 else []),
        *([times] if choice > 3 else []),
    ])  # fmt: skip
    values = {4: np.nan, 5: np.inf, 6: -np.inf, 7: 0.0, 8: 1e300, 9: 1e15, 10: 1e9, 11: times[at - 1]}
    if choice in values:
        times[at] = values[choice]
    text = "".join(f"{t!r} 0\n" for t in times.tolist())
    if choice == 12:
        text = text.replace("\n", " ")
    if choice == 13:
        text = text.replace(".0 ", ".0 x", 2).replace("1", "l", 1)
    (path / "depth_ts.txt").write_text(text)


def timestamps_as_good_as_none(path: Path, rng: np.random.Generator) -> None:
    texts = [
        b"\n\n\n",
        b"time\n",
        b"\xef\xbb\xbf1\n2\n3\n",
        b"1" * 200_000,
        bytes(200_000),
        b"1e999\n" * COUNT,
        b"0x10\n" * COUNT,
    ]
    (path / "depth_ts.txt").write_bytes(texts[rng.integers(len(texts))])


def nothing_measured(path: Path, rng: np.random.Generator) -> None:
    np.zeros((COUNT, ROWS, COLUMNS), "<u2").tofile(path / "depth.dat")


def odd_frames(path: Path, rng: np.random.Generator) -> None:
    shape = (COUNT, ROWS, COLUMNS)
    dtypes = [
        *(np.full(shape, depth) for depth in (1, 600, 65535)),
        *(rng.integers(low, high, shape) for low, high in ((0, 65536), (590, 610))),
        np.where(rng.random(shape) < 0.5, 0, 600),
        np.indices(shape)[2] * 20 + 400,
    ]
    dtypes[rng.integers(len(dtypes))].astype("<u2").tofile(path / "depth.dat")


def few_frames(path: Path, rng: np.random.Generator) -> None:
    count = int(rng.integers(0, 3))
    frames()[:count].astype("<u2").tofile(path / "depth.dat")
    (path / "depth_ts.txt").write_text("".join(f"{t}\n" for t in TIMES_MS[:count]))


def a_folder_in_place_of_a_file(path: Path, rng: np.random.Generator) -> None:
    file = _any_file(path, rng)
    file.unlink()
    file.mkdir()


# Damage to what an archive holds.


def members_that_leave(path: Path, rng: np.random.Generator) -> None:
    names = ["../escaped", "/tmp/escaped-from-an-archive", "a/../../escaped", "./../escaped", "..", "/"]
    member = tarfile.TarInfo(names[rng.integers(len(names))])
    member.size = 4
    _add(path, member, b"evil")


def links_and_devices(path: Path, rng: np.random.Generator) -> None:
    types = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
    member = tarfile.TarInfo("rgb.mp4")
    member.type, member.linkname = types[rng.integers(len(types))], "../../../etc/passwd"
    _add(path, member, b"")


def a_100_gb_claim_in_an_archive(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    member = tarfile.TarInfo("depth.dat")
    member.size = 100 << 30
    first = member.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(gzip.compress(first + bytes(content[512:]), 1))


def header_of_a_member_flipped(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[rng.integers(512)] ^= 1 << rng.integers(8)
    path.write_bytes(gzip.compress(bytes(content), 1))


def zeros_without_end(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + bytes(64 << 20), 1))


def _add(path: Path, member: tarfile.TarInfo, content: bytes) -> None:
    with tarfile.open(path) as archive:
        items = [(m, archive.extractfile(m).read()) for m in archive]  # type: ignore[union-attr]
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for item, inside in [(member, content), *items] if len(content) else [*items, (member, content)]:
            archive.addfile(item, io.BytesIO(inside))


# Damage to what HDF5 holds.


def wrong_dataset(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        names = [name for name in NUMBERS if name in h5]
        name = names[rng.integers(len(names))]
        values = h5[name][()]
        del h5[name]
        choices = [
            lambda: h5.create_dataset(name, data=values[:0]),
            lambda: h5.create_dataset(name, data=values[:-1]),
            lambda: h5.create_dataset(name, data=0.0 * values),
            lambda: h5.create_dataset(name, data=values * np.nan),
            lambda: h5.create_dataset(name, data="text"),
            lambda: h5.create_dataset(name, data=values[..., None]),
            lambda: h5.create_dataset(name, data=np.full(len(values), b"text")),
            lambda: h5.create_dataset(name, data=values.astype(complex)),
            lambda: h5.create_dataset(name, data=values[::-1]),
            lambda: h5.create_dataset(name, data=1e300 + 1e299 * values),
            lambda: h5.create_dataset(name, dtype="f8", shape=None, data=h5py.Empty("f8")),
            lambda: h5.create_group(name),
            lambda: h5.__setitem__(name, h5py.SoftLink("/nowhere")),
            lambda: h5.__setitem__(name, h5py.ExternalLink("nowhere.h5", "/x")),
        ]
        choices[rng.integers(len(choices))]()


def a_100_gb_claim_in_hdf5(path: Path, rng: np.random.Generator) -> None:
    shapes = [
        (3, 200_000, 100_000),
        (COUNT, 70_000, 70_000),
        (10**6, ROWS, 10_000),
        (10**8, ROWS, COLUMNS),
    ]
    with h5py.File(path, "r+") as h5:
        del h5["frames"]
        h5.create_dataset("frames", shapes[rng.integers(len(shapes))], "u2", chunks=(1, 60, 80))


def a_chunk_damaged(path: Path, rng: np.random.Generator) -> None:
    with h5py.File(path, "r+") as h5:
        chunk = h5["frames"].id.get_chunk_info(0)
        start, size = chunk.byte_offset, chunk.size
    content = bytearray(path.read_bytes())
    content[start + rng.integers(size)] ^= 0xFF
    path.write_bytes(content)


NUMBERS = (
    "frames", "time_ms", "timestamps", "scalars/centroid_x_px", "scalars/centroid_y_px", "scalars/angle",
    "metadata/extraction/background", "metadata/extraction/roi",
)  # fmt: skip
FILES = ("dat", "avi", "mkv", "azure", "hdf5", "legacy", "packed")
HDF5 = ("hdf5", "legacy")
# What can befall which recordings; a name that comes twice is done more often.
DAMAGES: dict[Damage, tuple[str, ...]] = {
    cut_short: (*FILES, "session"),
    cut_in_the_header: (*FILES, "session"),
    empty: (*FILES, "session"),
    header_bytes_flipped: (*FILES[1:] * 3, "session", "session"),
    header_bytes_drawn: (*FILES[1:] * 2, "session"),
    bytes_flipped: (*FILES[1:], "session"),
    a_block_of_zeros: (*FILES[1:], "session"),
    a_block_of_ones: FILES[1:],
    noise: FILES,
    garbage_at_the_end: (*FILES, "session"),
    a_part_missing: FILES,
    wrong_metadata: ("session",) * 16,
    wrong_timestamps: ("session",) * 12,
    timestamps_as_good_as_none: ("session",) * 4,
    nothing_measured: ("session",),
    odd_frames: ("session",) * 5,
    few_frames: ("session",) * 3,
    a_folder_in_place_of_a_file: ("session", "session", "packed", "avi"),
    members_that_leave: ("packed",) * 5,
    links_and_devices: ("packed",) * 4,
    a_100_gb_claim_in_an_archive: ("packed",),
    header_of_a_member_flipped: ("packed",) * 4,
    zeros_without_end: ("packed",),
    wrong_dataset: HDF5 * 10,
    a_100_gb_claim_in_hdf5: HDF5 * 2,
    a_chunk_damaged: HDF5,
}
