import json
import zlib
from base64 import b64decode

import numpy as np
import pytest

from prefrl.segments import Segment, as_dict, stacked
from prefrl.store.codec import decode, encode

T = 5
rng = np.random.default_rng(0)


def segment(obs, actions=None, render_states=None):
    actions = np.zeros((T, 1), np.float32) if actions is None else actions
    return Segment("toy", as_dict(obs), actions, rng.normal(size=T).astype(np.float32), render_states)


def smooth(steps=60):
    """Like a body in motion: observations and render states share their numbers."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    motion = np.sin(t * np.arange(1, 12, dtype=np.float32))
    return Segment("toy", {"obs": motion}, motion[:, :3], motion[:, 0], motion[:, :6])


@pytest.mark.parametrize("each", [
    segment(rng.normal(size=(T, 3)).astype(np.float32), render_states=rng.normal(size=(T, 4))),
    segment(rng.integers(0, 255, (T, 4, 8, 8), np.uint8), actions=rng.integers(0, 6, T)),
    segment({"image": rng.integers(0, 255, (T, 8, 8, 3), np.uint8), "speed": rng.normal(size=T)}),
    segment(rng.integers(0, 9, T)),  # a Discrete space
    segment(np.array([True, False] * 5).reshape(T, 2)),
    segment(rng.normal(size=(T, 2)).astype(np.float16)),
    segment(rng.normal(size=(T, 2)).astype(">f8")),
    segment(np.array([[0.0, -0.0, np.inf, -np.inf, np.nan]] * T)),
    segment(np.zeros((T, 0))),
    segment(rng.normal(size=(2 * T, 6))[::2, ::3]),
    segment(stacked(rng.integers(0, 255, (T + 3, 8, 8), np.uint8), 4)),
    segment(np.zeros((T, 1)), render_states=rng.integers(0, 255, (T, 7), np.uint8)),
    segment(np.zeros((T, 0, 3), np.uint8)),
    Segment("toy", {"obs": np.zeros((T, 1))}, np.zeros(T), np.zeros(T), None, np.arange(T, dtype=np.float32)),
])  # fmt: skip
def test_a_segment_survives_exactly(each):
    again = decode(each.id, each.env_id, encode(each))
    assert again.id == each.id
    for (name, before), (name_again, after) in zip(each.arrays().items(), again.arrays().items(), strict=True):
        assert name == name_again
        assert before.dtype == after.dtype
        assert before.shape == after.shape
        assert before.tobytes() == after.tobytes()


def test_what_was_read_cannot_be_changed():
    each = smooth()
    with pytest.raises(ValueError, match="read-only"):
        decode(each.id, each.env_id, encode(each)).obs["obs"][0] = 1


def test_smooth_motion_shrinks_to_less_than_half():
    each = smooth()
    raw = sum(array.nbytes for array in each.arrays().values())
    assert len(encode(each)) < 0.5 * raw


def test_of_stacks_each_frame_is_stored_once():
    frames = rng.integers(0, 255, (28, 20, 20), np.uint8)
    each = Segment("toy", {"obs": stacked(frames, 4)}, np.zeros(25), np.zeros(25))
    assert len(encode(each)) < 28 * 400 + 300
    again = decode(each.id, "toy", encode(each)).obs["obs"]
    assert np.shares_memory(again[0, 1], again[1, 0])


def test_a_blob_of_old_still_decodes():
    """Stacks written out, before each frame was stored once."""
    each = segment(stacked(rng.integers(0, 255, (T + 3, 2, 2), np.uint8), 4))
    header = {name: [array.dtype.str, array.shape] for name, array in each.arrays().items()}
    octets = [np.ascontiguousarray(a).view(np.uint8).reshape(T, -1, a.itemsize) for a in each.arrays().values()]
    planes = [array.transpose(1, 2, 0).tobytes() for array in octets]
    blob = zlib.compress(json.dumps(header).encode() + b"\n" + b"".join(planes))
    np.testing.assert_array_equal(decode(each.id, "toy", blob).obs["obs"], each.obs["obs"])


STEPS = np.arange(3)
VECTOR = np.arange(6, dtype=np.float32).reshape(3, 2)
OLD_BLOBS = [  # of a version whose segments had the array of a Box space, not a dict of it
    (
        {"obs": VECTOR},
        "eAGrVspPKlayUohWskkzUdJRiDbWUTCKjdVRUEpMLsnMz4PKZVqA5cASJUWlqfFFqeWJRSmoOmNja7kYoKCBwcEBwmxwWGAPZDMywaSw0Q0M"
        "DPYOAEYMGoI=",
    ),
    (
        {"obs": stacked(np.arange(20, dtype=np.uint8).reshape(5, 2, 2), 3)},
        "eAGrVspPKlayUohWqik1VNJRiDbWUQAiIyCK1VFQKi5JTM4uVgIxE5NLMvPzIGptMi3AamNBEiVFpanxRanliUUpUNk0E6hsLRcDCwePACMr"
        "J68gExsXnxAzOze/MAMjEwMe0MDAYO8AAPasHIM=",
    ),
    (
        {"velocity": VECTOR, "position": 2 * VECTOR[:, :1]},
        "eAGrVspPKtYryC/OLMnMz1OyUohWskkzUdJRiDbWUTCMjdVRACsoS83JT84sqURTYARWkJgM0lsMkcu0AGsGS5QUlabGF6WWJxalQGWhRsfG"
        "1nIxQEADA4ODI5TN0MDg4AAVdlhgD2QzMsGksNENDAz2DgBgLyh3",
    ),
]


@pytest.mark.parametrize("obs, blob", OLD_BLOBS, ids=["vector", "stacks", "dict"])
def test_blobs_are_those_of_segments_that_had_a_lone_array(obs, blob):
    each, old = Segment("toy", obs, STEPS, STEPS.astype(np.float32)), b64decode(blob)
    assert zlib.decompress(encode(each)) == zlib.decompress(old)  # other builds of zlib may compress otherwise
    again = decode(each.id, "toy", old)
    assert again.obs.keys() == obs.keys()
    assert all(np.array_equal(again.obs[name], array) for name, array in obs.items())


def test_random_numbers_hardly_grow():
    noise = rng.integers(0, 256, (60, 84), np.uint8)
    each = Segment("toy", {"obs": noise}, noise[:, :1], noise[:, 0])
    assert len(encode(each)) < 60 * 86 + 200


def test_python_objects_are_refused():
    with pytest.raises(ValueError, match="cannot store obs of a segment: it holds Python objects"):
        encode(segment(np.array([{}] * T)))


GOOD = smooth()
BLOB = encode(GOOD)


@pytest.mark.parametrize("blob", [
    b"",
    BLOB[:100],
    BLOB[:100] + bytes([BLOB[100] ^ 1]) + BLOB[101:],
    zlib.compress(b"no header"),
    zlib.compress(b'{"obs": ["<f4", [60, 11]]}\n'),
    zlib.compress(b'{"obs": 7}\n'),
    zlib.compress(b"[]\n"),
    zlib.compress(zlib.decompress(BLOB)[:-1]),
    zlib.compress(zlib.decompress(BLOB)[:-1] + b"\0"),
])  # fmt: skip
def test_a_damaged_blob_is_named(blob):
    with pytest.raises(ValueError, match=f"^segment {GOOD.id} is damaged"):
        decode(GOOD.id, GOOD.env_id, blob)
