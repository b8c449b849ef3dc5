"""Which pairs of recent segments to ask about."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from prefrl.checkpoints import RewardLearner
from prefrl.config import QueryConfig
from prefrl.names import look_up_or_load
from prefrl.queries import Pair, Query
from prefrl.rewards.ensemble import Ensemble
from prefrl.segments import Segment
from prefrl.selection import SELECTIONS, Candidates, Selection, uniform

DRAWS = 5  # of candidates, where those of the first were nearly all asked before


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
        raise ValueError(
            f"{len(segments)} segments of {reward.pool.clip_steps} steps are too few to compare; "
            "raise --initial-steps or lower --clip-steps"
        )
    select: Selection = look_up_or_load("selection", config.selection, SELECTIONS) if fitted else uniform
    queries: list[Query] = []
    taken = set(asked)
    for _ in range(DRAWS):
        pairs = draw_pairs(len(segments), config.oversample * num, rng)
        candidates = describe(reward.ensemble, segments, pairs)
        while len(queries) < num and len(candidates):
            picked = select(candidates, min(num - len(queries), len(candidates)), rng)
            for place in picked:
                one, two = (segments[i] for i in pairs[place])
                pair = frozenset((one.id, two.id))
                if pair not in taken and one.id != two.id:
                    queries.append(Query((one, two) if rng.random() < 0.5 else (two, one), step, nonce))
                    taken.add(pair)
            # Others take the places of those that were asked before, or whose segments have the same content.
            left = np.setdiff1d(np.arange(len(candidates)), picked)
            pairs, candidates = pairs[left], candidates.part(left)
        if len(queries) == num:
            break
    return queries


def draw_pairs(num_segments: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """[P, 2] different pairs (i, j), i > j, of different segments; P = number, or all pairs where there are fewer."""
    available = num_segments * (num_segments - 1) // 2
    codes = rng.choice(available, min(number, available), replace=False)
    larger = ((1 + np.sqrt(1.0 + 8.0 * codes)) // 2).astype(np.int64)  # exact below 2**50 pairs
    return np.stack([larger, codes - larger * (larger - 1) // 2], axis=1)


@torch.no_grad()
def describe(ensemble: Ensemble, segments: list[Segment], pairs: np.ndarray) -> Candidates:
    """What selections choose by, from one batched evaluation of every segment that occurs in `pairs` [P, 2]."""
    used, index = np.unique(pairs, return_inverse=True)
    index = index.reshape(pairs.shape)
    shown = [segments[i] for i in used]
    returns = ensemble.raw_of(shown).sum(-1).cpu().numpy()
    return Candidates(returns[:, index], lambda: _features(ensemble, shown)[index].reshape(len(pairs), -1))


@torch.no_grad()
def _features(ensemble: Ensemble, segments: list[Segment]) -> np.ndarray:
    """[S, F] mean and spread over time of every input, images in 8x8 blocks, all on one scale."""
    features = torch.stack([_looks(*ensemble.encode_segments([segment])) for segment in segments])
    return ((features - features.mean(0)) / (features.std(0, correction=0) + 1e-6)).cpu().numpy()


def _looks(obs: dict[str, Tensor], actions: Tensor) -> Tensor:
    """[F] the same of one segment, on the inputs' own scales."""
    inputs = [F.adaptive_avg_pool2d(rows.float(), 8).flatten(1) if rows.ndim == 4 else rows for rows in obs.values()]
    return torch.cat([moment for rows in [*inputs, actions] for moment in (rows.mean(0), rows.std(0, correction=0))])
