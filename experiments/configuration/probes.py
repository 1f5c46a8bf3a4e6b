"""Which measurements may a run ask for, and what does each write and cost?"""

from __future__ import annotations

from typing import Literal

Probe = Literal[
    "pre_activations",
    "unit_percentiles",
    "gradients",
    "saturation",
    "standardization",
    "held_out_standardization",
    "covariate_shift",
    "landscape",
    "curvature",
    "affine_identity",
    "weight_scale",
    "weight_norms",
    "weight_gradient_cosine",
    "representation",
    "first_guess",
    "step_loss",
    "training_loss",
    "corruptions",
    "attack",
]

PROBES: dict[Probe, str] = {  # what each writes and costs; layers are numbered from 1
    "pre_activations": (
        "`pre_activation/<layer>/p15`, `p50` and `p85`: percentiles of what goes into each activation, mean "
        "over a hidden layer's units. Costs no further pass."
    ),
    "unit_percentiles": (
        "`pre_activation/<layer>/unit_<unit>/p15`, `p50` and `p85`: the same for every unit of the last "
        "hidden layer by itself. Costs no further pass, but three curves a unit."
    ),
    "gradients": (
        "`gradient_norm/<layer>`: Euclidean norm of the loss's gradient by each layer's weights, the output "
        "layer's last. Costs no further pass."
    ),
    "saturation": (
        "`saturation/<layer>` and `saturation/all`: share of hidden outputs below 0.05 or above 0.95; "
        "`far_saturation/<layer>` and `far_saturation/all`: below 0.02 or above 0.98. Costs no further pass."
    ),
    "standardization": (
        "`standardization/mean` and `standardization/variance`: how far batch-normalized values, before γ and "
        "β, are from mean 0 and variance σ²/(σ² + ε), the worst of all units. Costs each normalization once "
        "more."
    ),
    "held_out_standardization": (
        "`held_out_standardization/mean` and `held_out_standardization/variance`: the same of the first 1,000 "
        "validation examples, normalized by the statistics of the run, whose σ² it is: what inference gives. Costs a "
        "forward pass over these, once, after the last step."
    ),
    "covariate_shift": (
        "`covariate_shift/change` and `covariate_shift/cosine`: relative change of a layer's gradient when "
        "the layers below take their step, and cosine between the two, mean over layers (Santurkar et al. "
        "2018). Costs a forward and backward pass for each layer but the first."
    ),
    "landscape": (
        "`landscape/loss_range`, `landscape/gradient_change`, `landscape/smoothness` and "
        "`landscape/smoothness_times_squared_norm`: loss and gradient at eight step lengths along the "
        "gradient (Santurkar et al. 2018). Costs eight forward and backward passes."
    ),
    "curvature": (
        "`curvature/largest` and `curvature/smallest`: outermost eigenvalues of the loss's Hessian by all weights, by "
        "Lanczos iteration (Yao et al. 2020); `curvature/largest_times_rate`, of which gradient descent on all "
        "examples keeps near 2 (Cohen et al. 2021). Costs 20 products with the Hessian, some two forward and backward "
        "passes each."
    ),
    "affine_identity": (
        "`affine_identity/error`: how far batch normalization with γ = √(σ² + ε) and β = μ is from the "
        "identity, relative to the largest input. Costs each normalization once more."
    ),
    "weight_scale": (
        "`weight_scale/error`: how far outputs and gradients are from what they should be when a layer's "
        "weights are scaled (Ioffe & Szegedy 2015, §3.3). Costs two forward and backward passes for each "
        "hidden layer. Needs placement before."
    ),
    "weight_norms": (
        "`weight_norm/<layer>`: Euclidean norm of each layer's weights, the output layer's last (Arora et al. 2019). "
        "Costs nothing."
    ),
    "weight_gradient_cosine": (
        "`weight_gradient_cosine/<layer>`: cosine between each layer's weights, but the output layer's, and the loss's "
        "gradient by them; 0 where the scale of the weights is of no consequence (Arora et al. 2019). Costs no further "
        "pass."
    ),
    "representation": (
        "`representation/stable_rank/<layer>` and `representation/cosine/<layer>`: of what each hidden layer hands on, "
        "‖A‖_F²/‖A‖₂² of the examples' values A, and the mean cosine between two examples; the last layer's again as "
        "`last` (Daneshmand et al. 2020). Costs no further pass, but a matrix a layer, at most examples by examples."
    ),
    "first_guess": (
        "`first_guess/share`: share of the examples that go to the class which most go to, by the statistics of the "
        "batch (Francazi et al. 2024). Costs no further pass."
    ),
    "step_loss": "`loss/step`: training loss of each of the first 100 steps. Costs nothing beyond its curve.",
    "training_loss": (
        "`loss/training_split` and `accuracy/training_split`: of the first 1,000 training examples, with the "
        "statistics of the evaluation. Costs a forward pass over these at each evaluation."
    ),
    "corruptions": (
        "`corrupted/<statistics>/brightness/<change>` and `corrupted/<statistics>/contrast/<factor>`: test "
        "accuracy on changed images, by the statistics of the run (kept), by those of 1,000 test images under the same "
        "change (recomputed), and under all changes in turn (mixed). Costs 48 forward passes over the test split, "
        "once, after the last step. Needs images."
    ),
    "attack": (
        "`attacked/fgsm/<size>`, `attacked/pgd/<size>` and `attacked/gaussian/<size>`: accuracy on the first 1,000 "
        "test images when every pixel, from 0 to 1, is changed by at most size along the sign of the loss's gradient, "
        "in one step (Goodfellow et al. 2015) or in 20 from a random start (Madry et al. 2018), or by noise of that "
        "deviation, by the statistics of the run (Galloway et al. 2019). Costs 84 forward and backward passes over "
        "these, once, after the last step. Needs images."
    ),
}
AT_BATCH_NORMS: tuple[Probe, ...] = ("standardization", "held_out_standardization", "affine_identity")
OF_BATCH_NORM: tuple[Probe, ...] = (*AT_BATCH_NORMS, "weight_scale")  # nothing to see without it
OF_IMAGES: tuple[Probe, ...] = ("corruptions", "attack")
OF_ONE_BATCH: tuple[Probe, ...] = (  # look at the fixed batch of `probe_examples`
    "pre_activations",
    "unit_percentiles",
    "gradients",
    "weight_gradient_cosine",
    "saturation",
    "covariate_shift",
    "landscape",
    "curvature",
    "representation",
    "first_guess",
    "standardization",
    "affine_identity",
    "weight_scale",
)
