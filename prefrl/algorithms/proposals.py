"""Which pairs of recent segments to ask about."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from prefrl.algorithms.learner import RewardLearner
from prefrl.core.errors import PrefrlError
from prefrl.core.registry import look_up_or_load
from prefrl.preferences.config import QueryConfig
from prefrl.queries import Pair, Query
from prefrl.rewards.ensemble import RewardEnsemble
from prefrl.segments import Segment
from prefrl.selection import SELECTIONS, Candidates, Selection, uniform


def propose(
    reward: RewardLearner,
    num: int,
    step: int,
    nonce: int,
    config: QueryConfig,
    rng: np.random.Generator,
    *,
    fitted: bool,
    asked: Set[Pair] = frozenset(),
) -> list[Query]:
    """The `num` pairs of the pool most worth asking about, out of `config.oversample` times as many.

    Which of the two segments comes first is drawn afterwards.

    Args:
        step, nonce: of the queries.
        fitted: whether the ensemble has learned anything yet; else pairs are drawn uniformly.
        asked: pairs that are not asked again, in either order.

    Returns:
        At most `num` queries about different pairs: fewer where the pool has fewer that were not asked.
    """
    segments = list(reward.pool.segments)
    if len(segments) < 2:
        raise PrefrlError(
            f"{len(segments)} segments of {reward.pool.clip_steps} steps are too few to compare; "
            "raise `initial_steps` or lower `clip_steps`"
        )
    select: Selection = look_up_or_load("selection", config.selection, SELECTIONS) if fitted else uniform
    taken, number = set(asked), config.oversample * num
    picked = _pick(draw_pairs(len(segments), number, rng), num, segments, taken, reward.ensemble, select, rng)
    if len(picked) < num:  # nearly all pairs of the pool were asked, or many of its segments are alike
        left = unasked_pairs(segments, taken, number, rng)
        picked += _pick(left, num - len(picked), segments, taken, reward.ensemble, select, rng)
    return [Query(pair if rng.random() < 0.5 else pair[::-1], step, nonce) for pair in picked]


def _pick(
    pairs: np.ndarray,
    num: int,
    segments: list[Segment],
    taken: set[Pair],
    ensemble: RewardEnsemble,
    select: Selection,
    rng: np.random.Generator,
) -> list[tuple[Segment, Segment]]:
    """At most `num` of the candidates `pairs` [P, 2] that `select` chooses: of two different segments, not in `taken`.

    Adds them to `taken`. Only segments that are chosen are named: that takes a millisecond of a game's.
    """
    chosen: list[tuple[Segment, Segment]] = []
    if not len(pairs):
        return chosen
    candidates = describe(ensemble, segments, pairs)
    while len(chosen) < num and len(candidates):
        picked = select(candidates, min(num - len(chosen), len(candidates)), rng)
        if not len(picked):
            break  # a selection of one's own may leave the rest
        for i, j in pairs[picked]:
            pair = frozenset((segments[i].id, segments[j].id))
            if len(pair) == 2 and pair not in taken:
                chosen.append((segments[i], segments[j]))
                taken.add(pair)
        left = np.setdiff1d(np.arange(len(candidates)), picked)
        pairs, candidates = pairs[left], candidates.part(left)
    return chosen


def unasked_pairs(segments: list[Segment], taken: Set[Pair], number: int, rng: np.random.Generator) -> np.ndarray:
    """[P, 2] pairs of segments of different content that are not in `taken`; P = number, or all that there are."""
    distinct = list({segment.id: i for i, segment in enumerate(segments)}.values())
    if len(distinct) < 2:
        return np.empty((0, 2), np.int64)
    drawn = np.array(distinct)[draw_pairs(len(distinct), number + len(taken), rng)]
    unasked = [frozenset((segments[i].id, segments[j].id)) not in taken for i, j in drawn]
    return drawn[unasked][:number]


def draw_pairs(num_segments: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """[P, 2] different pairs (i, j), i > j, of different segments; P = number, or all pairs where there are fewer."""
    available = num_segments * (num_segments - 1) // 2
    codes = rng.choice(available, min(number, available), replace=False)
    larger = ((1 + np.sqrt(1.0 + 8.0 * codes)) // 2).astype(np.int64)  # exact below 2**50 pairs
    return np.stack([larger, codes - larger * (larger - 1) // 2], axis=1)


@torch.no_grad()
def describe(ensemble: RewardEnsemble, segments: list[Segment], pairs: np.ndarray) -> Candidates:
    """Computes the candidates of a selection in one batched evaluation of all segments in `pairs` [P, 2]."""
    used, index = np.unique(pairs, return_inverse=True)
    index = index.reshape(pairs.shape)
    shown = [segments[i] for i in used]
    returns = ensemble.raw_of(shown).sum(-1).cpu().numpy()
    return Candidates(returns[:, index], lambda: _features(ensemble, shown)[index].reshape(len(pairs), -1))


@torch.no_grad()
def _features(ensemble: RewardEnsemble, segments: list[Segment]) -> np.ndarray:
    """[S, F] mean and spread over time of every input, images in 8x8 blocks, all on one scale."""
    features = torch.stack([_looks(*ensemble.encode_segments([segment])) for segment in segments])
    return ((features - features.mean(0)) / (features.std(0, correction=0) + 1e-6)).cpu().numpy()


def _looks(obs: dict[str, Tensor], actions: Tensor) -> Tensor:
    """[F] the same of one segment, on the inputs' own scales."""
    inputs = [F.adaptive_avg_pool2d(rows.float(), 8).flatten(1) if rows.ndim == 4 else rows for rows in obs.values()]
    return torch.cat([moment for rows in [*inputs, actions] for moment in (rows.mean(0), rows.std(0, correction=0))])
