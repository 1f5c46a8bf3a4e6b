"""A TensorBoard of a test's own, as scripts/curves.py serves it, and experiments for it to show."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis.summary import summarize
from experiments.configuration.loading import load_experiment
from experiments.records.ownership import Origin, write_origin
from experiments.records.storage import Curve, Record, write_run
from experiments.records.tensorboard import write_run_events
from experiments.reporting.pictures import pictures
from experiments.reporting.tensorboard_summary import show_in_tensorboard
from experiments.study import Study

CURVES = str(Path(__file__).parent.parent / "scripts" / "curves.py")
STEPS = np.array([0, 50, 100])


def summed_up(folder: Path, name: str, ends: Mapping[str, float]) -> Study:
    """An experiment of two seeds at two rates, as it lies in a folder when it is done.

    ends: arm → final accuracy at the rate 1; at 0.1 it is half of that, and seed 1 is 0.02 above seed 0.
    """
    file = folder / f"{name}.yaml"
    grid = "{optimizer.learning_rate: [0.1, 1]}"
    arms = ", ".join(f"{arm}: {{}}" for arm in ends)
    file.write_text(f"title: t\nrun: {{steps: 100, evaluate_every: 50}}\narms: {{{arms}}}\ngrid: {grid}\nseeds: 2\n")
    study = Study(load_experiment(file), folder / "runs" / name, Origin(file))
    for place in study.places():
        config = place.run.config
        end = ends[place.run.arm] * (0.5 if config.optimizer.learning_rate < 1 else 1) + 0.02 * config.seed
        curves = {
            "accuracy/validation": Curve(STEPS, np.array([0.1, end / 2, end])),
            "loss/train": Curve(STEPS[1:], np.array([1.0, 1 - end])),
            "accuracy/test": Curve(STEPS[-1:], np.array([end])),
        }
        write_run(place.experiment, place.run, Record(config, "finished", curves), write_run_events)
    assert study.origin
    write_origin(study.folder, study.origin, study.settings())
    table = study.write_results()
    summary = summarize(study.experiment, table)
    shown = pictures(study.experiment, table, summary, study.curves)
    show_in_tensorboard(study.experiment, study.folder, table, summary, shown)
    return study


class Server:
    """A TensorBoard of its own on a free port."""

    def __init__(self, logdir: Path, *options: str):
        self.process = subprocess.Popen(
            [sys.executable, CURVES, "--logdir", str(logdir), "--port", "0", "--load_fast=false", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr
        self.said: list[str] = []
        for line in self.process.stderr:
            self.said.append(line.strip())
            if found := re.search(r"http://localhost:\d+/", line):
                self.address = found[0]
                self._rest = threading.Thread(
                    target=lambda: self.said.extend(map(str.strip, self.process.stderr or ()))
                )
                self._rest.start()
                return
        raise AssertionError("TensorBoard ended before it served anything")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stderr
        self.process.terminate()
        self.process.wait(timeout=60)
        self._rest.join()
        self.process.stderr.close()

    def get(self, route: str, **query: str) -> Any:
        return self._ask(f"{self.address}data/{route}?{urllib.parse.urlencode(query)}", None)

    def post(self, route: str, **body: Any) -> Any:
        return self._ask(f"{self.address}data/{route}", json.dumps(body).encode())

    def _ask(self, url: str, body: bytes | None) -> Any:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
