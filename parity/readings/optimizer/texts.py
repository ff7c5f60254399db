"""What is said of an update rule and of a difference between two."""

import numpy as np

from parity.readings.optimizer.numbers import shown
from parity.readings.optimizer.rules import Rule

_PLACES = {
    ("Adam", True): "added after the bias correction of the root",
    ("Adam", False): "added to sqrt(v) before the bias correction",
    ("RMSprop", True): "outside the root",
    ("RMSprop", False): "inside the root",
    ("Adagrad", True): "outside the root",
    ("Adagrad", False): "inside the root",
}
_DECAYS = {
    "coupled": "coupled, added to the gradient (L2)",
    "decoupled": "decoupled, rate times decay taken off the weights before the update",
    "decoupled, after": "decoupled, taken off the weights after the update",
    "decoupled, fixed": "decoupled, not multiplied by the learning rate",
}
_BIASES = {
    "exact": "with exact betas",
    "float32": "with beta_1 and beta_2 rounded to float32",
    "float32 product": "with the product of its momenta kept in float32",
    "none": "left out",
}
ADVICE = {
    "optimiser": "use the same optimiser, with all settings given",
    "momentum": "give both the same momentum, rounded alike",
    "Nesterov momentum": "set nesterov alike",
    "dampening": "set dampening=0",
    "learning rate inside the momentum": "with a schedule the two forms differ: use "
    "lightning_mnist.optimizers.KerasSGD, or multiply the rate in the same place",
    "epsilon's value": "set epsilon (torch: eps) alike",
    "epsilon's place": "use the Keras-exact optimiser of lightning_mnist.optimizers, or add "
    "epsilon in the same place",
    "bias correction": "use the Keras-exact optimiser of lightning_mnist.optimizers, or compute "
    "the powers of the betas alike",
    "beta_1": "set beta_1 (torch: betas[0]) alike",
    "beta_2": "set beta_2 (torch: betas[1]) alike",
    "rho": "set rho (torch: alpha) alike",
    "amsgrad": "set amsgrad alike",
    "centered": "set centered alike",
    "initial accumulator": "set initial_accumulator_value alike",
    "momentum schedule": "use lightning_mnist.optimizers.KerasNadam, or set momentum_decay=1 in "
    "torch",
    "weight decay": "set weight_decay alike",
    "weight decay's place": "use AdamW in torch, or a Keras-exact optimiser, for decoupled decay, "
    "and Adam with weight_decay for L2",
    "weight decay's tensors": "exclude the same tensors from weight decay",
    "gradient clipping": "clip alike: clipvalue, clipnorm or global_clipnorm in Keras, "
    "clip_grad_value_ or clip_grad_norm_ in torch",
    "sign": "set maximize=False, or turn the sign of the loss",
    "gradient scale": "reduce the loss alike: the mean over the batch, not the sum, and no loss "
    "scale left in",
    "repeated update": "call step() once a batch",
    "frozen tensor": "give the tensor to the optimiser, with requires_grad or trainable set",
    "learning rate": "set the learning rate alike",
    "learning-rate schedule": "compare the schedules' values step by step",
}


def described(rule: Rule) -> str:
    """The rule in one line: "Adam(learning rate 0.001, ...)"."""
    parts = [f"learning rate {value(rule, 'learning rate')}"]
    if rule.family in ("Adam", "Nadam"):
        parts += [f"beta_1 {shown(rule.beta_1)}", f"beta_2 {shown(rule.beta_2)}"]
    if rule.family == "RMSprop":
        parts.append(f"rho {shown(rule.beta_2)}")
    if rule.family in ("SGD", "RMSprop") and rule.momentum:
        parts.append(f"momentum {shown(rule.momentum)}")
    if rule.family != "SGD":
        parts.append(f"epsilon {shown(rule.epsilon)}")
    if rule.accumulator:
        parts.append(f"initial accumulator {shown(rule.accumulator)}")
    flags = ("nesterov", "amsgrad", "centered")
    parts += [flag for flag in flags if getattr(rule, flag)]
    if rule.decay:
        parts.append(f"weight decay {value(rule, 'weight decay')}")
    if np.isfinite(rule.clip):
        parts.append(value(rule, "gradient clipping"))
    return f"{rule.family}({', '.join(parts)})"


def value(rule: Rule, name: str) -> str:
    """What a rule has for a setting, in words."""
    rates = " ".join(shown(rate) for rate in rule.rates)
    decay = f"{shown(rule.decay)} ({_DECAYS[rule.decay_kind]})" if rule.decay else "none"
    clip = f"clipped by {rule.clip_kind} at {shown(rule.clip)}"
    if rule.clip_epsilon:
        clip += f" (norm + {shown(rule.clip_epsilon)})"
    words = {
        "optimiser": rule.family,
        "momentum": shown(rule.momentum),
        "Nesterov momentum": "on" if rule.nesterov else "off",
        "dampening": shown(rule.dampening),
        "learning rate inside the momentum": "yes" if rule.rate_inside else "no",
        "epsilon's value": shown(rule.epsilon),
        "epsilon's place": _PLACES.get((rule.family, rule.epsilon_last), ""),
        "bias correction": _BIASES[rule.bias],
        "beta_1": shown(rule.beta_1),
        "beta_2": shown(rule.beta_2),
        "rho": shown(rule.beta_2),
        "amsgrad": "on" if rule.amsgrad else "off",
        "centered": "on" if rule.centered else "off",
        "initial accumulator": shown(rule.accumulator),
        "momentum schedule": f"0.96^({shown(rule.momentum_decay)} t)",
        "weight decay": decay,
        "weight decay's place": _DECAYS[rule.decay_kind],
        "weight decay's tensors": "matrices only" if rule.decay_matrices else "all",
        "gradient clipping": clip if np.isfinite(rule.clip) else "none",
        "sign": "uphill" if rule.scale < 0 else "downhill",
        "gradient scale": f"{rule.scale:g} times the recorded gradient",
        "repeated update": f"applied {rule.repeats} times a step",
        "frozen tensor": f"{', '.join(sorted(rule.frozen))} never updated"
        if rule.frozen
        else "all tensors updated",
        "learning rate": shown(rule.rates[0]) if len(set(rule.rates)) == 1 else rates,
        "learning-rate schedule": rates,
    }
    return words[name]
