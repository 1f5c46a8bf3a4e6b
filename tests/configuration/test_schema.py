import json

from experiment_files import ROOT

from experiments.configuration.experiment import ExperimentConfig, json_schema
from experiments.configuration.run import RunConfig


def test_the_committed_schema_is_current():
    committed = json.loads((ROOT / "configs/experiment.schema.json").read_text(encoding="utf-8"))
    assert committed == json_schema(), "make it again: scripts/run.py --schema > configs/experiment.schema.json"


def test_the_schema_knows_every_field():
    schema = json_schema()
    assert set(schema["properties"]) == {*ExperimentConfig.model_fields, "extends"}
    assert schema["additionalProperties"] is False
    assert set(schema["$defs"]["RunConfig"]["properties"]) == set(RunConfig.model_fields)
    assert schema["$defs"]["ModelConfig"]["properties"]["pooling"]["enum"] == ["max", "average", "none"]
