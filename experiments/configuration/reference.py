"""What may stand in an experiment file? The page docs/configuration.md, made from the schema."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from experiments.configuration.experiment import MOST_RUNS, ExperimentConfig
from experiments.configuration.hints import flow, section_of
from experiments.configuration.probes import PROBES
from experiments.configuration.run import MOST_EVALUATIONS, MOST_ORDERED
from models.config import MOST_LAYERS, MOST_WEIGHTS
from models.fields import FLOAT32, UsedWith

_HEAD = f"""\
# Configuration

An experiment is one YAML file. This page has every field, its meaning, what it may be and what it is where a file
leaves it out. It is made from the schema with `scripts/run.py --reference > docs/configuration.md`;
[configs/experiment.schema.json](../configs/experiment.schema.json) is the same for editors.
[Adding a claim](adding_a_claim.md) explains measures and verdicts.

```yaml
title: BN needs fewer steps at the same learning rate
run:                                      # the base run
  dataset: {{name: digits, batch_size: 60}}
  model: {{kind: mlp, layers: [100, 100, 100], activation: sigmoid}}
  steps: 2000
arms:                                     # what each variant changes in it
  no_bn: {{}}
  custom_bn: {{model.norm.kind: custom}}
grid: {{optimizer.learning_rate: [0.1, 0.3, 1, 3]}}
seeds: 20
```

* Arms and the grid name fields of `run` from there on, dotted: `model.norm.kind`. Every arm is trained with every
  combination of grid values and every seed.
* `extends: other.yaml` builds on another file: fields are laid over its fields one by one, arms and grid whole.
* `--set run.steps=500` overrides a field from the command line.
* Equal steps are other numbers of examples where arms or grid change `dataset.batch_size`; `epochs` in place of `steps`
  gives each as many steps as its batches need. A run is known by its steps: written out, they are the same run.
* Numbers may be written in every way, `1e-3` too. `null` is a value, that of a field not given; a field with nothing
  after its colon is refused, and so is a setting that no run makes anything of.
* Numbers that a network computes with lie between {FLOAT32[0]:g} and {FLOAT32[1]:g}.
* An experiment has at most {MOST_RUNS:,} runs, a run {MOST_ORDERED:,} examples (steps × batch_size) and
  {MOST_EVALUATIONS:,} evaluations, a network {MOST_LAYERS:,} layers and {MOST_WEIGHTS:,} weights between them.
* All faults of a file are told at once, each with its line and what to write instead.
"""
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
_PROBES = """
## Probes

What `run.probes` may list. Without any, a run writes `loss/train` (mean over the steps since the last evaluation),
`loss/validation` and `accuracy/validation` at each evaluation, and `loss/test` and `accuracy/test` after the last step
or at each evaluation; with `moving_averages`, all but the first by each of them too, such as
`accuracy/test/moving_0.99`. Probes that look at the fixed batch share one forward pass over `probe_examples` examples
at each evaluation, and a backward pass where one of them asks for gradients; costs are what comes on top, at each
evaluation unless it says otherwise.

| probe | what it writes, and what it costs |
|---|---|
"""


def reference() -> str:
    """Return the page on experiment files, in Markdown."""
    schema = ExperimentConfig.model_json_schema()
    probes = "".join(f"| `{probe}` | {_cell(text)} |\n" for probe, text in PROBES.items())
    return "".join([_HEAD, *_sections(ExperimentConfig, "", schema), _PROBES, probes])


def _sections(model: type[BaseModel], name: str, schema: dict[str, Any]) -> Iterator[str]:
    """Yield the section of a model's fields, then those of the sections inside."""
    properties = schema["$defs"][model.__name__]["properties"] if name else schema["properties"]
    rows = [
        f"| `{field}` | {_cell(_meaning(info))} | {_cell(_allowed(properties[field], info, _joined(name, field)))} "
        f"| {_preset(info)} |\n"
        for field, info in model.model_fields.items()
    ]
    yield (
        f"\n## {name or 'The file'}\n\n{inspect.cleandoc(model.__doc__ or '')}\n\n"
        f"| field | meaning | allowed | preset |\n|---|---|---|---|\n{''.join(rows)}"
    )
    for field_name, field in model.model_fields.items():
        if section := section_of(field):
            yield from _sections(section, _joined(name, field_name), schema)


def _joined(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


def _meaning(field: FieldInfo) -> str:
    only = [used for used in field.metadata if isinstance(used, UsedWith)]
    return "; ".join([field.description or "", *(f"only with {u.field} {', '.join(u.values)}".rstrip() for u in only)])


def _allowed(schema: dict[str, Any], field: FieldInfo, full_name: str) -> str:
    if not section_of(field):
        return _values(schema)
    fields = f"[fields](#{full_name.replace('.', '')})"
    return f"list, each of {fields}" if schema.get("type") == "array" else fields


def _values(schema: dict[str, Any]) -> str:
    """Say in words which values a part of the JSON schema allows."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_values, schema["anyOf"])))
    if "enum" in schema:
        return ", ".join(f"`{value or flow(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    match schema.get("type"):
        case "integer" | "number" as kind:
            bounds = [f"{words} {schema[key]:,}" for key, words in _BOUNDS.items() if key in schema]
            return ", ".join(["whole number" if kind == "integer" else "number", *bounds])
        case "boolean":
            return "`true` or `false`"
        case "string":
            return "text"
        case "null":
            return "`null`"
        case "array" if items := schema.get("items"):
            return f"list, each {_values(items)}"
        case "array" if places := schema.get("prefixItems"):
            return f"[{', '.join(map(_values, places))}]"
        case "array":
            return "list"
        case "object" if isinstance(inner := schema.get("additionalProperties"), dict):
            return f"names, each with {_values(inner)}"
        case "object":
            return "fields"
    return "value"


def _preset(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, BaseModel):
        return "as its fields"
    return f"`{flow(list(value) if isinstance(value, tuple) else value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
