import pytest

from syllabary.provenance import Provenance
from syllabary.simulate import acquisition
from syllabary.simulate.settings import DropSettings, SimulateSettings


@pytest.fixture(scope="session")
def made() -> Provenance:
    return Provenance("simulate", {}, 5, {}, "test")


@pytest.fixture(scope="session")
def short() -> SimulateSettings:
    """Four seconds with many lost frames."""
    return SimulateSettings(duration_s=4, drops=DropSettings(single=0.04, run=0.02))


@pytest.fixture(scope="session")
def session(tmp_path_factory, short, made):
    folder = tmp_path_factory.mktemp("session")
    acquisition.record(
        folder, short, recording="r1", subject="m1", group="control", seed=5, provenance=made
    )
    return folder
