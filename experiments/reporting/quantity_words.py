"""What is the quantity called that a claim is about, before anything is compared?"""

from __future__ import annotations

from experiments.configuration.claim import ClaimConfig, MeasureName, PartConfig

TOPICS: dict[MeasureName, str] = {
    "steps_to_level": "speed",
    "largest_rate": "learning rates",
    "seconds_per_step": "cost",
    "gap_at_training_loss": "regularization",
}


def quantity_words(part: PartConfig, family: bool = False) -> str:
    """Return what an arm by itself comes to: 'test accuracy at the end (%)'. family: of all metrics of its kind."""
    metric = _metric_words((part.metric or "").partition("/")[0] if family else part.metric)
    match part.measure:
        case "steps_to_level":
            words = "steps to the level"
        case "late_value":
            words = f"{metric or 'validation accuracy'} at the end"
        case "final_value":
            words = f"{metric or 'test accuracy'} at the end"
        case "value_at_step":
            words = f"{metric} at step {part.step:,}"
        case "mean_value":
            words = f"{metric}, mean"
        case "worst_value":
            words = f"{metric}, the worst"
        case "largest_fall":
            words = f"{metric}, largest fall"
        case "drift":
            words = "drift of a unit's input, in its spreads"
        case "gap_at_training_loss":
            words = "test loss ÷ training loss"
        case "gradient_ratio":
            words = f"gradient norm, first ÷ last layer, at step {part.step:,}"
        case "largest_rate":
            words = f"largest rate that {'stays finite' if part.metric == 'finite' else 'trains'}"
        case "seconds_per_step":
            words = "seconds per step"
    if part.matched:
        words = words.replace("at the end", "at equal training loss")
    budget = f", first {100 * part.budget:g} % of the steps" if part.budget < 1 else ""
    return words + budget + (" (%)" if quantity_scale(part) == 100 else "")


def quantity_scale(part: PartConfig) -> float:
    """Return what an arm's values are multiplied by to be shown: accuracies are percentages."""
    is_accuracy = (part.metric or "accuracy").startswith("accuracy") and part.measure in ("late_value", "final_value")
    return 100.0 if part.unit == "points" or is_accuracy else 1.0


def _metric_words(metric: str | None) -> str:
    """A metric in words: 'validation accuracy', 'gradient norm 1', 'landscape: loss range'."""
    if not metric:
        return ""
    name, _, rest = metric.replace("_", " ").partition("/")
    if name in ("accuracy", "loss"):
        split, _, reading = rest.partition("/")
        return f"{split} {name}" + (f" ({reading})" if reading else "")
    if name == "frechet":
        return f"Fréchet distance to {rest or 'real'} images"
    if not rest:
        return name
    return f"{name} {rest}" if rest.isdecimal() else f"{name}: {rest.replace('/', ', ')}".removesuffix(": all")


def topic_of(claim: ClaimConfig) -> str:
    """Return what a claim is about, by the measure of the first part that decides: 'speed', 'accuracy', 'mechanism'."""
    part = next((part for part in claim.parts if part.role == "decides"), None)
    if claim.kind == "exact" or part is None:
        return "identities" if claim.kind == "exact" else "all claims"
    if part.axis == "model.init_scale":
        return "initial weights"
    is_accuracy = quantity_scale(part) == 100
    return TOPICS.get(part.measure) or ("accuracy" if is_accuracy else "mechanism")
