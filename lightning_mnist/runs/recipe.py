"""What a recipe says, in a few words and setting by setting: both sides' and anyone's."""

from collections.abc import Mapping
from typing import Any


def in_short(recipe: Mapping[str, Any]) -> str:
    """Width of the layers, optimiser and rate, batch size, and what regularises."""
    model, data = _part(recipe, "model"), _part(recipe, "data")
    words = []
    if isinstance(hidden := model.get("hidden"), list | tuple):
        words.append("-".join(map(str, hidden)) or "no hidden layer")
    if (activation := model.get("activation", "relu")) != "relu":
        words.append(str(activation))
    words.append(_optimizer(_part(recipe, "optimizer")))
    if "batch_size" in data:
        words.append(f"batch {data['batch_size']}")
    if norm := model.get("batch_norm"):
        words.append("batch norm" + (f" ({norm})" if norm is not True else ""))
    if dropout := model.get("dropout"):
        words.append(f"dropout {dropout}")
    if model.get("invert"):
        words.append("inverted")
    if any(value for key, value in _part(model, "augmentation").items() if key != "smoothness"):
        words.append("augmented")
    return ", ".join(word for word in words if word)


def _optimizer(optimizer: Mapping[str, Any]) -> str:
    """Lightning's recipe names a class and its arguments, the reference's a name."""
    name = str(optimizer.get("class_path") or optimizer.get("name") or "").rpartition(".")[2]
    settings = _part(optimizer, "init_args") or optimizer
    rate = settings.get("lr", settings.get("learning_rate"))
    return f"{name} {rate}" if name and rate is not None else name


def _part(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, Mapping) else {}


def settings(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, names joined by dots: ``optimizer.init_args.lr``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        flat |= settings(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat
