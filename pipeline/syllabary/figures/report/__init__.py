"""The report: a folder that opens in any browser, without a network or a server.

``index.html`` contains the scores, figures, syllable tables and crowd movies of every model, up to
the size that the settings allow. ``recordings/<name>.html`` contains the interactive ethogram of a
recording; its preview video is in the same folder. In reading order: ``_assets`` (inlined and
linked files), ``_tables`` and ``_comparison`` (tables of the pages), ``_index``, ``_recording``;
the pages are made from ``templates/``.
"""

import json
from pathlib import Path

from ...progress import track
from ...provenance import Provenance
from ...records import files
from ..results import StudyResults
from ..settings import DrawSettings
from ..study import Drawings, draw_all, file_stem
from . import _index, _recording

__all__ = ["write"]


def write(
    folder: Path | str,
    study: StudyResults,
    settings: DrawSettings,
    *,
    provenance: Provenance,
    drawings: Drawings | None = None,
) -> Path:
    """Write the report of a study.

    Parameters
    ----------
    folder : path
        ``results/report``; pages of the same names are replaced.
    study : StudyResults
    settings : DrawSettings
    provenance : Provenance
        Shown on every page.
    drawings : Drawings, optional
        Result of ``figures.study.draw_all``; by default figures are drawn into
        ``<folder>/figures``.

    Returns
    -------
    Path
        ``index.html``.
    """
    folder = Path(folder)
    if drawings is None:
        drawings = draw_all(folder / "figures", study, settings, seed=provenance.seed or 0)
    record: dict[str, object] = json.loads(provenance.to_json())
    for recording in track(study.recordings, "recording pages", unit="pages"):
        page = folder / "recordings" / f"{file_stem(recording.name)}.html"
        html = _recording.render(page.parent, study, recording, drawings, provenance=record)
        _write_text(page, html)
    index = folder / "index.html"
    _write_text(index, _index.render(folder, study, drawings, settings, provenance=record))
    return index


def _write_text(path: Path, text: str) -> None:
    with files.create(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))
