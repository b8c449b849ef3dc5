"""Every setting of a run, with its default and its unit. Presets give per-environment values."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

Precision = Literal["fp32", "bf16"]

LEAST_L2, MOST_L2 = 1e-8, 1.0  # between which it is adapted


@dataclass(frozen=True, kw_only=True)
class PpoConfig:
    """The agent: Stable-Baselines3's PPO."""

    num_envs: int = 8  # environments stepped side by side
    n_steps: int = 256  # steps per environment and rollout
    batch_size: int = 256  # steps per gradient step
    n_epochs: int = 10  # passes over each rollout
    learning_rate: float = 3e-4
    learning_rate_decay: float = 0.0  # share of it that is gone by the end of the run, linearly
    gamma: float = 0.99  # discount per step
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_decay: float = 0.0  # share of it that is gone by the end of the run, linearly
    ent_coef: float = 0.0  # weight of the entropy bonus
    ent_coef_decay: float = 0.0  # share of it that is gone by the end of the run, linearly
    vf_coef: float = 0.5  # weight of the value loss
    max_grad_norm: float = 0.5
    net: tuple[int, ...] = (64, 64)  # hidden units of policy and value function, each; images have cnn below
    cnn: Literal["dqn2013", "nature"] = "dqn2013"  # reads image observations; nature takes three times the work
    activation: Literal["tanh", "relu"] = "tanh"
    log_std_init: float = 0.0  # log of the initial standard deviation of the actions
    ortho_init: bool = True
    scale_rewards: bool = True  # divide them by the running standard deviation of the discounted return
    reset_step: int | None = None  # step of the run at which it starts again with fresh weights; None: never
    averaging: float = 0.0  # share that the mean policy, which is judged and saved, keeps per 2,048 steps; 0: the last


@dataclass(frozen=True, kw_only=True)
class SacConfig:
    """The agent: Stable-Baselines3's SAC, whose replay is paid anew after each fit of the reward model."""

    num_envs: int = 8  # environments stepped side by side
    n_steps: int = 32  # steps of each environment between two updates
    updates_per_step: float = 1.0  # gradient steps per environment step; each takes about 13 ms on one core
    batch_size: int = 256  # steps per gradient step
    buffer_steps: int = 1_000_000  # latest steps that the replay holds
    learning_starts: int = 1000  # steps before the first update, with random actions in a run on the true reward
    learning_rate: float = 3e-4
    gamma: float = 0.99  # discount per step
    tau: float = 0.005  # share of the critic that its target takes over at an update
    target_update_interval: int = 1  # gradient steps between two updates of the target
    initial_temperature: float = 1.0  # first weight of the entropy, which is adapted; PEBBLE's is 0.1
    net: tuple[int, ...] = (256, 256)  # hidden units of actor and critics, each; PEBBLE's are 1024 1024
    relabel: bool = True  # pay for the whole replay anew after each fit
    reset_step: int | None = None  # step of the run at which it starts again with fresh weights; None: never
    averaging: float = 0.0  # share that the mean policy, which is judged and saved, keeps per 2,048 steps; 0: the last


AgentConfig = PpoConfig | SacConfig


@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """The reward model: an ensemble trained on comparisons."""

    network: str = "auto"  # auto (cnn where there are images, else mlp), mlp, cnn, paper_cnn, or module:function
    members: int = 3  # predictors in the ensemble
    hidden: tuple[int, ...] = (64, 64)  # hidden units of each predictor
    reward_lr: float = 3e-3  # Adam's learning rate
    fit_batch: int = 64  # comparisons per gradient step
    initial_epochs: int = 50  # passes over the comparisons in the first fit
    epochs: int = 2  # passes over the comparisons in each later fit
    fit_sample: int | None = None  # comparisons drawn for each pass; None for all: images take 10 ms each and more
    response_noise: float = 0.1  # share of answers taken to be given at random
    l2: float = 1e-2  # initial weight of the sum of squared parameters, adapted per member; 0 turns it off
    l2_low: float = 1.3  # held-out over training loss below which l2 shrinks
    l2_high: float = 1.5  # held-out over training loss above which l2 grows
    reward_std: float = 1.0  # of the normalised reward, whose mean is 0; an agent that scales rewards scales it away
    label_window: int | None = None  # train on so many of the latest comparisons; None for all


@dataclass(frozen=True, kw_only=True)
class QueryConfig:
    """What is asked, and when."""

    clip_steps: int = 50  # steps per segment
    initial_fraction: float = 0.25  # of the labels, asked about what is done before learning
    initial_steps: int = 16_384  # steps before learning, that they are asked about; they count as steps
    random_share: float = 0.5  # of the environments, rounded down, that act at random in these; 0 as the paper
    schedule: Literal["hyperbolic", "constant", "all_at_start"] = "hyperbolic"
    schedule_constant: float = 2e6  # steps after which the hyperbolic label rate has halved
    round_steps: int = 16_384  # steps between two rounds of queries, each followed by a fit
    selection: str = "disagreement"  # disagreement, uniform, entropy, k_center, or module:function
    oversample: int = 10  # candidate pairs per pair asked
    pool_steps: int = 65_536  # recent steps that are asked about, and over which the reward is normalised


@dataclass(frozen=True, kw_only=True)
class OracleConfig:
    """How the synthetic labeler errs; the defaults never do. B-Pref, Lee et al. 2021, sec. 4.1."""

    beta: float = math.inf  # rationality: P(left) = sigmoid(beta (R_left - R_right)); inf never errs
    discount: float = 1.0  # weight of a step relative to the one after it; below 1 the oracle is myopic
    mistake: float = 0.0  # probability of a flipped answer
    skip_below: float = -math.inf  # a pair whose returns are both below this is skipped
    tie_within: float = 0.0  # a difference in returns below this is a tie, and so are equal ones

    def __post_init__(self) -> None:
        _require(self.beta >= 0, f"beta must not be negative, got {self.beta}; inf never errs")
        _require(
            0 < self.discount <= 1,
            f"discount must be in (0, 1], got {self.discount}; 1 weighs all steps alike",
        )
        _require(0 <= self.mistake <= 1, f"mistake is a probability, got {self.mistake}")
        _require(not math.isnan(self.skip_below), "skip_below must be a return, got nan; -inf skips nothing")
        _require(self.tie_within >= 0, f"tie_within must not be negative, got {self.tie_within}; 0 has no ties")


Boxes = Literal["default", "paper"] | tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class AtariConfig:
    """An Atari game: what is painted over, and what its end costs. Other environments read none of it."""

    boxes: Boxes = "default"  # painted over: a set, or top bottom left right of each, in pixels
    end_penalty: float | None = None  # points that the oracle takes off at a game's end; None for the game's own
    show_score: bool = False  # whether people see what is painted over for the agent


@dataclass(frozen=True, kw_only=True)
class RlhfConfig:
    """One run: an agent trained from comparisons, or on the true reward where labels is 0."""

    env_id: str
    labels: int  # comparisons to learn from; 0 trains on the true reward
    steps: int  # environment steps, over all parallel environments
    seed: int
    preset: str = "default"  # default, wide, paper2017 or zoo: where the other settings come from
    study: str = "runs"  # what the run belongs to; results/<study>/... holds committed ones
    variant: str | None = None  # its name within the study; None for the preset's
    horizon: int | None = None  # steps per episode; needed outside the suite
    on_end: Literal["absorb", "reset"] = "absorb"  # how an episode that ends early goes on until the horizon
    checkpoint_steps: int = 100_000  # steps between two checkpoints
    eval_episodes: int = 20  # fresh episodes of the final policy behind the summary's return
    labeler: Literal["oracle", "human"] = "oracle"  # who compares: the oracle, or people (prefrl label, prefrl serve)
    pace: Literal["wait", "go"] = "wait"  # whether the agent waits for people's labels that are due, or goes on
    question: str | None = None  # that people are asked about two clips; None for "Which is better?"
    overlap: float = 0.0  # share of the pairs that two people are asked about, to see whether they agree
    store: str | None = None  # a database's URL, without a password; None for a file in the run's folder
    device: str = "auto"  # auto, cpu, cuda or mps
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # of networks for images; auto: bf16 where the processor has it
    threads: int = 2  # CPU threads that step MuJoCo tasks, of networks that read images, and processes that play games
    agent: AgentConfig = field(default_factory=PpoConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    oracle: OracleConfig = field(default_factory=OracleConfig)
    atari: AtariConfig = field(default_factory=AtariConfig)

    def __post_init__(self) -> None:
        _check_labeling(self)
        _check_least(self)
        _check_reward(self.reward)
        _check_agent(self.agent)
        _check_boxes(self.atari.boxes)
        _check_lengths(self)

    @property
    def initial_labels(self) -> int:
        """Labels asked about what is done before learning, at least 2 where there are any."""
        return min(self.labels, max(2, round(self.query.initial_fraction * self.labels))) if self.labels else 0

    @property
    def initial_steps(self) -> int:
        """Steps before learning; a run on the true reward has none."""
        return self.query.initial_steps if self.labels else 0


def _check_labeling(config: RlhfConfig) -> None:
    """Who is asked how much, and where the answers go."""
    _require(
        config.labels == 0 or config.labels >= 2,
        f"labels must be 0 (train on the true reward) or at least 2, got {config.labels}",
    )
    _require(
        config.labeler != "human" or config.labels > 0, "people have nothing to label with --labels 0; give a number"
    )
    _require(0 <= config.overlap <= 1, f"overlap is a share, got {config.overlap}")
    _require(
        0 <= config.query.initial_fraction <= 1,
        f"initial_fraction must be in [0, 1], got {config.query.initial_fraction}",
    )
    _require(
        0 <= config.query.random_share <= 1,
        f"random_share must be in [0, 1], got {config.query.random_share}",
    )
    _require(
        not _has_password(config.store),
        "the store's URL holds a password, and config.json would keep it; leave it out: PGPASSWORD or ~/.pgpass "
        "gives it to PostgreSQL",
    )


def _check_least(config: RlhfConfig) -> None:
    """Numbers that only have a lower end, and the seed, which NumPy and torch take 32 bits of."""
    check_seed(config.seed)
    agent, reward, query = config.agent, config.reward, config.query
    for group, names, least in (
        (config, ("steps", "threads", "eval_episodes", "checkpoint_steps"), 1),
        (agent, ("num_envs", "n_steps"), 1),
        (agent, ("batch_size",), 2),
        (reward, ("members", "fit_batch"), 1),
        (reward, ("initial_epochs", "epochs"), 0),
        (query, ("clip_steps", "initial_steps", "round_steps", "oversample", "pool_steps"), 1),
    ):
        for name in names:
            value = getattr(group, name)
            _require(value >= least, f"{name} must be at least {least}, got {value}")
    for group, names in (
        (reward, ("reward_std",)),
        (query, ("schedule_constant",)),
        (agent, ("gamma",)),
    ):
        for name in names:
            _require(
                0 < getattr(group, name) < math.inf, f"{name} must be a number above 0, got {getattr(group, name)}"
            )
    _require(
        all(size >= 1 for size in reward.hidden + agent.net),
        f"layers need at least 1 unit, got hidden {reward.hidden} and net {agent.net}",
    )


def check_seed(seed: int) -> None:
    """Refuses a seed that not everything takes."""
    _require(0 <= seed < 2**32, f"seed must be in [0, 2**32), got {seed}")


def _check_reward(reward: RewardConfig) -> None:
    _require(0 <= reward.response_noise < 1, f"response_noise must be in [0, 1), got {reward.response_noise}")
    for name in ("reward_lr", "l2", "l2_low", "l2_high"):
        number = getattr(reward, name)
        _require(0 <= number < math.inf, f"{name} must be a number from 0 up, got {number}")
    _require(
        reward.l2_low <= reward.l2_high,
        f"l2_low must not be above l2_high, got {reward.l2_low} and {reward.l2_high}; between them l2 stays",
    )
    for name in ("label_window", "fit_sample"):
        most = getattr(reward, name)
        _require(most is None or most >= 1, f"{name} must be at least 1, got {most}")


def _check_agent(agent: AgentConfig) -> None:
    _require(0 <= agent.averaging < 1, f"averaging is a share below 1, got {agent.averaging}; 0 takes the last policy")
    _require(agent.gamma <= 1, f"gamma must be at most 1, got {agent.gamma}")
    _require(
        0 <= agent.learning_rate < math.inf, f"learning_rate must be a number from 0 up, got {agent.learning_rate}"
    )
    if isinstance(agent, PpoConfig):
        _check_ppo(agent)
    else:
        _check_sac(agent)


def _check_ppo(agent: PpoConfig) -> None:
    _require(agent.n_epochs >= 1, f"n_epochs must be at least 1, got {agent.n_epochs}")
    for name in ("clip_range", "max_grad_norm"):
        value = getattr(agent, name)
        _require(0 < value < math.inf, f"{name} must be a number above 0, got {value}")
    for name in ("learning_rate_decay", "clip_range_decay", "ent_coef_decay"):
        decay = getattr(agent, name)
        _require(0 <= decay <= 1, f"{name} is a share, from 0 to 1, got {decay}")
    for name in ("ent_coef", "vf_coef"):
        number = getattr(agent, name)
        _require(0 <= number < math.inf, f"{name} must be a number from 0 up, got {number}")
    _require(math.isfinite(agent.log_std_init), f"log_std_init must be a number, got {agent.log_std_init}")
    _require(0 <= agent.gae_lambda <= 1, f"gae_lambda must be in [0, 1], got {agent.gae_lambda}")
    rollout = agent.num_envs * agent.n_steps
    _require(
        rollout % agent.batch_size == 0,
        f"batch_size {agent.batch_size} must divide a rollout of {rollout} steps "
        f"({agent.num_envs} envs x {agent.n_steps} steps)",
    )


def _check_sac(agent: SacConfig) -> None:
    for name in ("updates_per_step", "initial_temperature", "tau"):
        value = getattr(agent, name)
        _require(0 < value < math.inf, f"{name} must be a number above 0, got {value}")
    _require(agent.tau <= 1, f"tau must be at most 1, got {agent.tau}")
    for name, least in (("target_update_interval", 1), ("learning_starts", 0), ("buffer_steps", agent.num_envs)):
        value = getattr(agent, name)
        _require(value >= least, f"{name} must be at least {least}, got {value}")


def _check_boxes(boxes: Boxes) -> None:
    _require(
        isinstance(boxes, str) or (len(boxes) > 0 and all(isinstance(box, tuple) and len(box) == 4 for box in boxes)),
        f"boxes are default, paper, or top bottom left right of each, got {boxes!r}",
    )


def _check_lengths(config: RlhfConfig) -> None:
    """What must fit into what: clips into episodes, all that comes first into the run."""
    clip_steps = config.query.clip_steps
    _require(
        config.horizon is None or config.horizon >= (clip_steps if config.labels else 1),
        f"an episode of {config.horizon} steps is shorter than a clip of {clip_steps}; "
        "raise --horizon or lower --clip-steps",
    )
    _require(
        config.steps > config.initial_steps,
        f"{config.steps} steps are too few: {config.initial_steps} already go to what comes before learning; "
        "raise --steps or lower --initial-steps",
    )
    reset_step = config.agent.reset_step
    _require(
        reset_step is None or config.initial_steps <= reset_step < config.steps,
        f"reset_step must lie after the {config.initial_steps} steps before learning and before the end at "
        f"{config.steps}, got {reset_step}",
    )


def _has_password(location: str | None) -> bool:
    """Whether there is one in a database's URL; a path has none."""
    if location is None or "://" not in location:
        return False
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:  # a port that is no number is a ValueError
        raise ValueError("cannot read the store's URL; postgresql+psycopg://USER@HOST/NAME is one") from error
    return bool(url.password or {"password", "sslpassword"} & set(url.query))


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def to_json(config: RlhfConfig) -> dict[str, Any]:
    """Plain values, infinities as the strings "inf" and "-inf", which JSON has no number for."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return str(value) if isinstance(value, float) and math.isinf(value) else value

    values = dataclasses.asdict(config)
    values["agent"] = {"name": agent_name(config.agent)} | values["agent"]
    return plain(values)


def from_json(values: dict[str, Any]) -> RlhfConfig:
    """The inverse of `to_json`.

    Raises:
        ValueError: a setting that is not known, or a value that does not fit.
    """
    agent = agent_from_json(values.get("agent", {}))
    groups = {
        "reward": RewardConfig, "query": QueryConfig, "oracle": OracleConfig, "atari": AtariConfig,
    }  # fmt: skip
    nested = {name: build(group, values.get(name, {})) for name, group in groups.items()}
    return build(RlhfConfig, values | nested | {"agent": agent})


AGENTS: dict[str, type[AgentConfig]] = {"ppo": PpoConfig, "sac": SacConfig}


def agent_name(agent: AgentConfig) -> str:
    """The name of the algorithm that the settings are for."""
    return next(name for name, kind in AGENTS.items() if type(agent) is kind)


def agent_from_json(values: dict[str, Any]) -> AgentConfig:
    """The settings of an agent, by the algorithm's `name`; older versions have none, and PPO alone."""
    settings = {key: value for key, value in values.items() if key != "name"}
    if "name" in values:
        _require(values["name"] in AGENTS, f"unknown agent {values['name']!r}; known: {', '.join(AGENTS)}")
        return build(AGENTS[values["name"]], settings)
    agent = build(PpoConfig, settings)
    # It was a share per rollout, however long.
    return dataclasses.replace(agent, averaging=agent.averaging ** (2048 / (agent.num_envs * agent.n_steps)))


def build(kind: Any, values: dict[str, Any]) -> Any:
    """A dataclass of the group `kind` from JSON values; ValueError for a setting that it does not have."""
    fields = {f.name: f.type for f in dataclasses.fields(kind)}
    if strange := sorted(set(values) - set(fields)):
        raise ValueError(f"unknown setting {strange[0]!r} in {kind.__name__}; known: {', '.join(fields)}")
    needed = (f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING)
    if missing := [name for name in needed if name not in values]:
        raise ValueError(f"setting {missing[0]!r} is missing from {kind.__name__}")
    return kind(**{name: _restore(fields[name], value) for name, value in values.items()})


def _restore(kind: Any, value: Any) -> Any:
    """JSON knows neither tuples nor infinities."""
    if isinstance(value, list):
        return tuple(_restore("", item) for item in value)
    return float(value) if kind == "float" else value
