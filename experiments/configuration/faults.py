"""What is wrong with a value, in words that say what to write instead?"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from experiments.configuration.experiment import ExperimentConfig
from experiments.configuration.hints import example, not_among, section_at, unknown_field
from experiments.configuration.yaml_source import BLANK, Key, shown

Model = TypeVar("Model", bound=BaseModel)
Fault = tuple[Key, str]  # the field and what is wrong with it
_FIELDS_EXPECTED = ("dict_type", "mapping_type", "model_type")
_EXPECTED = {
    "string_type": "expected a text; quote it",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "finite_number": "expected a finite number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "too_short": "give at least one",
}
_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "at least",
    "less_than": "below",
    "less_than_equal": "at most",
}


def validate(model: type[Model], value: Any) -> tuple[Model | None, list[Fault]]:
    """Read a value as `model`; None where it has faults, each at its field."""
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        found = [(_location(fault), fault) for fault in error.errors()]
        inside = {location[:-1] for location, _ in found}  # pydantic calls a list too short when its items are faulty
        of_fields: dict[Key, list[Any]] = {}
        for location, fault in found:
            if not (fault["type"] == "too_short" and location in inside):
                of_fields.setdefault(location, []).append(fault)
        return None, [(location, _explain_all(model, faults, location)) for location, faults in of_fields.items()]


def _explain_all(model: type[BaseModel], faults: list[Any], location: Key) -> str:
    """Explain the faults of one field: of several, where it takes a text or something else, the text is the remedy."""
    others = [fault for fault in faults if fault["type"] != "literal_error"] or faults
    texts = [_allowed(fault) for fault in faults if fault not in others]
    remedy = "".join(f"; or write {' or '.join(allowed)}" for allowed in texts)
    return "; ".join(dict.fromkeys(_explain(model, fault, location) for fault in others)) + remedy


def _allowed(fault: Any) -> list[str]:
    return [part.strip().strip("'") for part in fault["ctx"]["expected"].replace(" or ", ", ").split(",")]


def _location(fault: Any) -> Key:
    unknown = fault["loc"][-1:] if fault["type"] == "extra_forbidden" else ()  # a name, whatever it is
    known = fault["loc"][:-1] if unknown else fault["loc"]
    return (*(part for part in known if not _is_union_branch(part)), *unknown)


def _is_union_branch(part: str | int) -> bool:
    """Pydantic adds the branch of a union to a fault's location; a field never has such a name."""
    return isinstance(part, str) and (part in {"str", "int", "bool", "float"} or "[" in part)


def _explain(model: type[BaseModel], fault: Any, location: Key) -> str:
    kind, found = fault["type"], fault["input"]
    match kind:
        case "literal_error":
            hint = "; YAML reads yes/no/on/off as a boolean, quote it" if isinstance(found, bool) else ""
            return not_among(found, _allowed(fault)) + hint
        case "extra_forbidden":
            return f"no such field; {_unknown(model, location)}"
        case "missing":
            field = section_at(model, location[:-1])
            examples = field.model_fields[str(location[-1])].examples if field else None
            remedy = f"; add it, such as {location[-1]}: {example(model, location)}" if examples else ""
            return f"required, but not given{remedy}"
        case "value_error":
            return str(fault["ctx"]["error"])
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            bound = next(iter(fault["ctx"].values()))
            share = kind == "less_than" and bound == 1 and isinstance(found, (int, float)) and 2 < found <= 100
            hint = f"; it is a share, so write {found / 100:g} for {found:g} %" if share else ""
            return f"must be {_BOUNDS[kind]} {bound:g}, got {shown(found)}{hint}"
        case _ if kind in _FIELDS_EXPECTED:
            hint = "; write {} for no fields" if found is None or found is BLANK else ""
            got = "nothing" if found is None else shown(found)
            return f"expected fields and their values, such as {example(model, location, found)}, got {got}{hint}"
        case "tuple_type":
            plain = isinstance(found, (str, int, float))
            return f"expected a list, such as [1, 2], got {shown(found)}" + (
                f"; write [{shown(found)}]" if plain else ""
            )
        case "int_type" if "layers" in location and isinstance(found, dict):
            return f"expected a number of units, such as 100, got {shown(found)}; model.kind says what the layers are"
        case _:
            return f"{_EXPECTED.get(kind, fault['msg'])}, got {shown(found)}"


def _unknown(model: type[BaseModel], location: Key) -> str:
    """What was meant by an unknown field: one of its own part of the file where the file has such a part."""
    part = section_at(ExperimentConfig, location[:1])
    if model is ExperimentConfig and len(location) > 1 and part:
        return unknown_field(part, location[1:], f"{location[0]}.")
    if model is not ExperimentConfig and location == ("run",):
        return "arms and grid name the fields of run from there on; leave out run"
    return unknown_field(model, location)
