"""Movies that a model generates."""

import av
import numpy as np
import pytest

from syllabary.figures import decoded
from syllabary.figures.colors import Colors, palette
from syllabary.records.clips import Clips

RED = (1.0, 0.0, 0.0)
# Every state is a syllable.
STATES = np.arange(5)


@pytest.fixture
def clips():
    rng = np.random.default_rng(1)
    poses = rng.integers(0, 60, (2, 9, 12, 12)).astype(np.uint8)
    drawn = rng.integers(0, 60, (3, 6, 12, 12)).astype(np.uint8)
    states = np.array([[0, 0, 0, 4, 4, 4], [4] * 6, [0] * 6])
    limited = np.zeros((3, 6), bool)
    limited[1, 2:4] = True
    return Clips(
        np.array([0, 4]), np.array([5, 9]), np.zeros((2, 9, 3)), poses, states, limited, drawn,
        30.0, 1.85,
    )  # fmt: skip


def frames_of(path):
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def is_red(pixels):
    return (np.abs(pixels.astype(int) - [255, 0, 0]) < 40).all(-1)


def test_a_movement_is_framed_for_its_length_and_its_last_pose_is_held(clips, tmp_path):
    paths = decoded.write(tmp_path, clips, 0, RED, STATES)
    assert paths == {"decoded": tmp_path / "000-decoded.mp4"}
    frames = frames_of(paths["decoded"])
    assert frames.shape == (5 + 10, decoded.TILE_PX, decoded.TILE_PX, 3)
    framed = is_red(frames[:, :2, 20:-20]).mean((1, 2)) > 0.9
    assert framed.tolist() == [True] * 5 + [False] * 10
    inner = frames[4:, 10:-10, 10:-10].astype(int)
    assert np.abs(inner - inner[0]).mean() < 4, "the held pose does not move"


def test_a_syllable_without_a_movie_writes_nothing(clips, tmp_path):
    assert decoded.write(tmp_path, clips, 2, RED, STATES) == {}
    assert not list(tmp_path.iterdir())


def test_a_syllable_shows_its_commonest_state_that_has_a_movie(clips, tmp_path):
    alone = decoded.write(tmp_path / "alone", clips, 4, RED, STATES)["decoded"].read_bytes()
    # State 1 has no movie; 0 and 4 have.
    merged = decoded.write(tmp_path / "merged", clips, 0, RED, np.array([1, 0, 2, 3, 0]))
    assert merged["decoded"].name == "000-decoded.mp4"
    assert merged["decoded"].read_bytes() == alone
    both = decoded.write(tmp_path / "both", clips, 0, RED, np.array([0, 1, 2, 3, 0]))
    first = decoded.write(tmp_path / "first", clips, 0, RED, STATES)
    assert both["decoded"].read_bytes() == first["decoded"].read_bytes()


def test_sampled_sequences_are_side_by_side_in_the_colors_of_their_syllables(clips, tmp_path):
    path = decoded.simulated(tmp_path, clips, "slds", Colors(models={"slds": {0: RED}}), STATES)
    frames = frames_of(path)
    assert frames.shape == (6, decoded.SMALL_PX, 3 * decoded.SMALL_PX, 3)
    upper_rows = frames[:, :2].reshape(6, 2, 3, decoded.SMALL_PX, 3)
    shown = is_red(upper_rows[:, :, :, 20:-20]).mean((1, 3)) > 0.9
    assert shown.T.tolist() == (clips.simulated_states == 0).tolist()
    other = 255 * np.array(palette(5)[4])
    assert np.abs(upper_rows[0, :, 1, 20:-20] - other).mean() < 25
    white = (upper_rows[:, :, :, 20:-20] > 215).all(-1).mean((1, 3)) > 0.9
    assert white.T.tolist() == clips.simulated_limited.tolist()


def test_a_model_without_sequences_has_no_movie_of_them(clips, tmp_path):
    empty = Clips(
        clips.state, clips.length, clips.latents, clips.poses, np.zeros((0, 6), int),
        np.zeros((0, 6), bool), np.zeros((0, 6, 12, 12), np.uint8), 30.0, 1.85,
    )  # fmt: skip
    assert decoded.simulated(tmp_path, empty, "slds", Colors(), STATES) is None
