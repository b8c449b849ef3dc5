"""The result of a run: summary.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from prefrl.core.errors import PrefrlError
from prefrl.runs.files import read_json, write_json

OF_GAMES = ("score_mean", "score_std", "score_games", "games_ended", "games_unfinished", "game_steps_mean")
"""Written of Atari games only."""

_MEAN = "_mean"  # ends the key of a measure


@dataclass(frozen=True, kw_only=True)
class RewardModelQuality:
    """How good the reward model of a run is.

    Attributes:
        heldout_accuracy: share of held-out comparisons that it predicts; None where there are none.
        pearson, spearman: correlations of predicted and true returns of fresh segments.
    """

    heldout_accuracy: float | None = None
    pearson: float | None = None
    spearman: float | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of a run. Returns are true ones, of fresh episodes; the policy is the final one.

    None is what was not measured, or what an older version did not write.

    Attributes:
        study, variant: names under which results are gathered.
        env_id: Gymnasium id, e.g. "prefrl/Hopper-v0".
        labels: answers that the run was to learn from; 0 for one that trains on the true reward.
        labels_answered: answers that it learned from.
        no_more_pairs: whether it ended without labels that it waited for.
        steps: environment steps, over all parallel environments.
        true_return_mean, true_return_std: sums of true rewards, of the policy's episodes.
        eval_episodes: episodes, or games, that a mean is over.
        random_return_mean: true return of random actions.
        score_mean, score_std: unclipped scores of complete Atari games; None elsewhere, as all that is about games.
        score_games: games that they are of.
        measures: name of a measure of the suite's -> its mean over fresh episodes.
        games_ended, games_unfinished: Atari games during training.
        game_steps_mean: mean length of those that ended, in steps.
        wall_seconds, cpu_seconds: of training, by the clock and over all threads.
        fit_seconds: of these by the clock, spent fitting the reward model.
        steps_per_second: over wall_seconds.
        peak_memory_mb: the most that the process held, in MiB.
        precision: "fp32" or "bf16".
        reward_model: None for a run on the true reward.
        versions: package -> version.
    """

    study: str | None = None
    env_id: str | None = None
    variant: str | None = None
    preset: str | None = None
    labels: int
    labels_answered: int | None = None
    no_more_pairs: bool | None = None
    seed: int | None = None
    steps: int
    true_return_mean: float | None = None
    true_return_std: float | None = None
    eval_episodes: int | None = None
    random_return_mean: float | None = None
    score_mean: float | None = None
    score_std: float | None = None
    score_games: int | None = None
    measures: Mapping[str, float] = field(default_factory=dict)
    games_ended: int | None = None
    games_unfinished: int | None = None
    game_steps_mean: float | None = None
    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    fit_seconds: float | None = None
    steps_per_second: float | None = None
    peak_memory_mb: int | None = None
    threads: int | None = None
    device: str | None = None
    precision: str | None = None
    cpu: str | None = None
    git_commit: str | None = None
    reward_model: RewardModelQuality | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the content of summary.json: the fields in their order, each measure as <name>_mean in its place."""
        content: dict[str, Any] = {}
        for name, value in asdict(self).items():
            if name == "measures":
                content |= {measure + _MEAN: mean for measure, mean in value.items()}
            elif name not in OF_GAMES or self.score_mean is not None:
                content[name] = value
        return content


_KEYS = frozenset(each.name for each in fields(Summary)) - {"measures"}


def from_json(content: Mapping[str, Any]) -> Summary:
    """Reads the content of a summary.json.

    A missing key is None. An unknown one is a measure if it is a number named <measure>_mean, and else passed over:
    benchmarks and other versions may have written more.

    Raises:
        PrefrlError: steps or labels are missing, which every version wrote.
    """
    if missing := [name for name in ("steps", "labels") if name not in content]:
        raise PrefrlError(f"it has no {missing[0]!r}")
    known = {name: value for name, value in content.items() if name in _KEYS}
    known["measures"] = {
        name.removesuffix(_MEAN): value
        for name, value in content.items()
        if name not in _KEYS and name.endswith(_MEAN) and isinstance(value, int | float)
    }
    known["reward_model"] = _quality(content.get("reward_model"))
    known["versions"] = content.get("versions") or {}
    return Summary(**known)


def _quality(content: Mapping[str, Any] | None) -> RewardModelQuality | None:
    if not content:
        return None
    return RewardModelQuality(**{each.name: content.get(each.name) for each in fields(RewardModelQuality)})


def read_summary(path: Path) -> Summary:
    """Reads a summary.json.

    Raises:
        PrefrlError: the file is damaged.
    """
    try:
        return from_json(read_json(path))
    except ValueError as error:
        raise PrefrlError(f"{path} is damaged: {error}") from error


def write_summary(path: Path, summary: Summary) -> None:
    """Writes a summary.json, complete or not at all."""
    write_json(path, summary.to_json())
