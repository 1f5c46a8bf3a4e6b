"""Which settings of a run change nothing in it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from experiments.configuration.hints import allowed_texts, flow, section_of
from experiments.configuration.probes import OF_BATCH_NORM
from experiments.configuration.run import RunConfig
from experiments.configuration.yaml_source import Key
from models.fields import UsedWith
from models.norm_config import BATCH_NORMS, NormConfig


def effects(run: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Yield every field that a run sets, as far as it is one, with why it has no effect; "" where it has.

    run: the fields set, as the file has them. A preset value beside an explicit `kind` only says what is: no fault.
    """
    yield from _effects(run, RunConfig, (), run)
    norm, preset, probes = _mapping(_mapping(run.get("model")).get("norm")), NormConfig(), run.get("probes")
    kind, placement = norm.get("kind", preset.kind), norm.get("placement", preset.placement)
    for i, probe in enumerate(probes if isinstance(probes, list) else ()):
        why = ""
        if probe in OF_BATCH_NORM and kind not in BATCH_NORMS:
            why = f"{probe} looks at batch normalization, of which there is none with norm.kind: {kind}; leave it out"
        elif probe == "weight_scale" and placement == "after":
            why = "weight_scale looks at batch normalization before the activation; leave it out"
        yield ("probes", i), why


def _effects(
    values: Mapping[str, Any], model: type[BaseModel], at: Key, run: Mapping[str, Any]
) -> Iterator[tuple[Key, str]]:
    for name, value in values.items():
        if field := model.model_fields.get(name):
            section = section_of(field)
            if section and isinstance(value, dict):
                yield from _effects(value, section, (*at, name), run)
                continue
            why = [_idle(used, values, model, run) for used in field.metadata if isinstance(used, UsedWith)]
            is_preset = value == field.default and "kind" in values
            yield (*at, name), "" if is_preset else next(filter(None, why), "")


def _idle(used: UsedWith, values: Mapping[str, Any], model: type[BaseModel], run: Mapping[str, Any]) -> str:
    *sections, name = used.field.split(".")
    if sections[:1] == ["run"]:
        sections, values, model = sections[1:], run, RunConfig
    for at in sections:
        section = section_of(model.model_fields[at])
        assert section is not None
        values, model = _mapping(values.get(at)), section
    decides = model.model_fields[name]
    given = values.get(name, decides.default)
    if not used.values:
        return f"has no effect with {used.field}: {flow(given)}; leave it out" if given == decides.default else ""
    listed, known = list(given) if isinstance(given, (list, tuple)) else [given], allowed_texts(decides)
    if any(value in used.values or value not in known for value in listed):  # what is not known is a fault of its own
        return ""
    found = flow(given if isinstance(given, str) else listed)
    needed = " or ".join(used.values) if len(used.values) < 3 else f"one of {', '.join(used.values)}"
    return f"has no effect with {used.field}: {found}, only with {needed}; leave it out"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
