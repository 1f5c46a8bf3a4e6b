"""Which sweeps are timed? Two arms, without and with batch normalization, by many rates and seeds, on the digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from experiments.configuration.run import RunConfig

ARMS = ("none", "custom")
EVERY, BATCH = 50, 60  # steps from one evaluation to the next; examples a step
RUN_BY_RUN, AT_ONCE = "run by run", "vmap"  # how JAX may train them


@dataclass(frozen=True)
class TimedSweep:
    """One architecture in both arms, with every learning rate and seeds from 0 on."""

    kind: str
    layers: tuple[int, ...]
    activation: str
    rates: tuple[float, ...]
    seeds: int
    steps: int

    @property
    def run(self) -> dict[str, Any]:
        """Return the `run` section of the experiment file."""
        model = {"kind": self.kind, "layers": list(self.layers), "activation": self.activation}
        dataset = {"name": "digits", "batch_size": BATCH}
        evaluation = {"evaluate_every": EVERY, "statistics": "moving"}  # as `model.fit` and JAX evaluate
        return {"dataset": dataset, "model": model, "steps": self.steps} | evaluation

    def experiment(self) -> dict[str, Any]:
        """Return the experiment file."""
        return {
            "title": "The sweep that is timed",
            "run": self.run,
            "arms": {arm: {"model.norm.kind": arm} for arm in ARMS},
            "grid": {"optimizer.learning_rate": list(self.rates)},
            "seeds": self.seeds,
        }

    def runs(self) -> list[RunConfig]:
        """Return every run, arm by arm, rate by rate, seed by seed."""
        base = RunConfig.model_validate(self.run)
        cells = [(arm, rate) for arm in ARMS for rate in self.rates]
        return [_with(base, arm, rate, seed) for arm, rate in cells for seed in range(self.seeds)]


def _with(base: RunConfig, arm: str, rate: float, seed: int) -> RunConfig:
    fields = base.model_dump()
    fields["model"]["norm"]["kind"] = arm
    fields["optimizer"]["learning_rate"] = rate
    return RunConfig.model_validate(fields | {"seed": seed})


SWEEPS = {
    "mlp": TimedSweep("mlp", (100, 100, 100), "sigmoid", (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10), 10, 500),
    "cnn": TimedSweep("cnn", (8, 16), "relu", (0.01, 0.03, 0.1, 0.3), 10, 200),
}
