"""The synthetic labeler: answers from the true rewards, and errs as people do where told to."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from prefrl.labelers.base import ORACLE
from prefrl.labelers.config import OracleConfig
from prefrl.queries import INCOMPARABLE, Answer, LabelerKind, Query
from prefrl.segments import Segment


class Oracle:
    """Compares segments by their true returns, as B-Pref's teachers do (Lee et al. 2021, arXiv 2111.03026).

    Where an environment says what an oracle should compare by instead (`Segment.oracle_rewards`), that is r_t.

    With R(s) = sum_t r_t and U(s) = sum_t discount^(T-1-t) r_t, in this order:

    1. skip: incomparable if every R is below `skip_below`;
    2. preference: P(a over b) = sigmoid(beta (U(a) - U(b))), or the larger U where beta is infinite;
    3. mistake: with probability `mistakes` the answer is turned round;
    4. tie, which overrules 2 and 3: |R(a) - R(b)| < `tie_within`, or equal U where beta is infinite.

    Beyond pairs: the order is drawn from Plackett-Luce with utilities beta U, a mistake turns all of it
    round, and neighbors in it tie.

    An answer depends on the seed and the query's content alone, not on what was asked before, when or in
    which process: a resumed run gets the answers of one that was never interrupted.
    """

    kind: LabelerKind = "oracle"

    def __init__(self, config: OracleConfig, seed: int, name: str = ORACLE) -> None:
        self.name = name
        self._config, self._seed = config, seed

    def label(self, queries: Sequence[Query]) -> list[Answer]:
        return [self._compare(query) for query in queries]

    def _compare(self, query: Query) -> Answer:
        config, rng = self._config, self._rng(query)
        returns = [discounted_return(segment, 1.0) for segment in query.segments]
        if max(returns) < config.skip_below:
            return INCOMPARABLE
        scores = np.array([discounted_return(segment, config.discount) for segment in query.segments])
        if math.isfinite(config.beta):
            # The order of utilities with Gumbel noise is Plackett-Luce's; of two, Bradley-Terry's.
            scores = config.beta * scores + rng.gumbel(size=len(scores))
        order = np.argsort(-scores, kind="stable")
        if rng.random() < config.mistakes:
            order = order[::-1]
        ranks = [0] * len(order)
        for better, worse in pairwise(order):
            close = abs(returns[better] - returns[worse]) < config.tie_within
            ranks[worse] = ranks[better] + int(not close and scores[better] != scores[worse])
        return Answer(tuple(ranks))

    def _rng(self, query: Query) -> np.random.Generator:
        digest = hashlib.blake2b(f"{self._seed} {query.id}".encode(), digest_size=16).digest()
        return np.random.default_rng(int.from_bytes(digest))


def discounted_return(segment: Segment, discount: float) -> float:
    """sum_t discount^(T-1-t) r_t: the last step counts in full, those before it ever less.

    Rounded once, by fsum: the same rewards in another order or on another processor are an exact tie.
    """
    weights = discount ** np.arange(len(segment) - 1, -1, -1.0)
    rewards = segment.true_rewards if segment.oracle_rewards is None else segment.oracle_rewards
    return math.fsum(weights * rewards.astype(np.float64))
