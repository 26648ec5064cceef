import av
import numpy as np

from syllabary.depth.settings import ExtractSettings


def pictures(path):
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        return float(rate), [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def settings_of(settings, **preview):
    return ExtractSettings.model_validate({**settings.model_dump(), "preview": preview})


def test_movie_keeps_the_pace_of_the_recording(scene, extract, settings):
    crops = extract(scene.path, settings_of(settings, fps=10, height_px=120))
    rate, frames = pictures(crops.with_suffix(".mp4"))
    assert rate == 10
    assert len(frames) == -(-73 // 3)
    assert frames[0].shape[0] == 120
    # Arena on the left, crop on the right; neither is empty.
    assert frames[0][:, -120:].max() > 60
    assert np.ptp(frames[0][:, :-120].astype(int)) > 60


def test_long_recordings_are_shown_faster(scene, extract, settings):
    crops = extract(scene.path, settings_of(settings, max_frames=5))
    assert len(pictures(crops.with_suffix(".mp4"))[1]) <= 5
