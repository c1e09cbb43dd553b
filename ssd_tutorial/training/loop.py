"""One training loop, for a laptop and for many GPUs (chapters 12 and 15).

A run is a pure function of its recipe and its data: sample i of a run is the same picture,
augmented in the same way, however many processes load it and wherever the run was interrupted.
"""

import inspect
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.augment import Transform, training_transform
from ssd_tutorial.loss import MultiBoxLoss, multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.training.distributed import Devices, part_of
from ssd_tutorial.training.learnable import check_learnable, repeat_factors, targets_of
from ssd_tutorial.training.loader import Batch, TrainingStream, load_batches
from ssd_tutorial.training.log import Step
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.training.run_folder import RunFolder
from ssd_tutorial.training.validation import Validation, last_measured
from ssd_tutorial.weights.pretrained import load_start

_log = logging.getLogger(__name__)


def train(
    dataset: Dataset,
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    devices: Devices | None = None,
    workers: int = 0,
    on_error: Literal["raise", "drop"] = "raise",
    compile: bool = False,
    loss_function: Callable[..., MultiBoxLoss] = multibox_loss,
    validation: Validation | None = None,
    checkpoint_every: int = 2_000,
    log_every: int = 50,
    report: Callable[[Step], None] | None = None,
    progress: bool | None = None,
) -> tuple[SSD, list[Step]]:
    """Train a detector.

    Seeds torch's global generator with ``recipe.seed`` for the initial weights; nothing after that
    draws from it.

    Args:
        dataset: items of `ssd_tutorial.datasets`, with ``classes``.
        recipe: see `ssd_tutorial.training.recipes`.
        out: a folder for log and checkpoints, see `RunFolder`. Training resumes from a checkpoint
            of the same recipe, and refuses one of another recipe.
        devices: where to compute; None takes CUDA if there is one, and the recipe's precision.
        workers: processes that load pictures; 0 loads them between the steps.
        on_error: raise on a picture that cannot be decoded, or replace it by the next one of its
            epoch and name it in the log.
        compile: compile the network with ``torch.compile``.
        loss_function: the loss to minimise; `multibox_loss`, or one with the same signature.
        validation: what to measure the network on meanwhile, see `Validation`. With a folder, the
            best weights so far are kept in it.
        checkpoint_every: samples between two checkpoints; there is one at each measurement, too.
        log_every: steps between two reports; losses are means over them.
        report: called with every report, such as ``print``.
        progress: show a bar; None shows it if standard error is a terminal.

    Returns:
        The network, and the reports.

    Raises:
        ValueError: an impossible box or label, with the picture's name; a dataset from which
            nothing can be learned (`check_learnable`); a folder of a run with another recipe, other
            classes or another number of pictures, or a different one per process; a batch size
            that processes cannot share equally; weights that are not finite.
        BlockingIOError: another process trains into the folder.
        FloatingPointError: the loss is not finite; the message names the batch's pictures.
    """
    if log_every < 1 or checkpoint_every < 1 or (validation and validation.every < 1):
        raise ValueError("log_every, checkpoint_every and validation.every must be 1 or more")
    too_small = check_learnable(dataset, recipe)
    if validation and not any((~one["difficult"]).any() for one in targets_of(validation.dataset)):
        raise ValueError("no object of the validation split can be found: choose another one")
    devices = devices or Devices(precision=recipe.precision)
    main = devices.is_main_process
    if too_small and main:
        _log.warning(too_small)
    torch.manual_seed(recipe.seed)
    network = SSD(recipe.model_preset(), len(dataset.classes) + 1)
    network = devices.to_device(network).train()
    optimizer = make_optimizer(network, recipe)
    run = RunFolder(out, asdict(recipe), dataset.classes, len(dataset), writes=main)
    with closing(run):
        first = run.resume(network, optimizer, devices.scaler)
        sum_of_first = devices.sum(torch.tensor(first, device=devices.device)).item()
        if sum_of_first != first * devices.world_size:
            raise ValueError(f"{out} is not the same folder for all processes: use a shared one")
        if first == 0 and main:  # the other processes get the weights of the first one
            _log.info(load_start(network, recipe.start, dataset.classes))

        total_steps = math.ceil(recipe.samples / recipe.batch_size)
        repeats = repeat_factors(dataset, recipe.repeat_rare) if recipe.repeat_rare else None
        samples = TrainingStream(
            dataset, _transform(recipe, network), recipe.samples, recipe.seed, on_error, repeats
        )
        share, pinned = (devices.rank, devices.world_size), devices.device.type == "cuda"
        batches = load_batches(
            samples, recipe.batch_size, network.num_classes, first, workers, share, pinned
        )
        steps = range(first, total_steps)
        shown = progress if main else False
        bar = progress_bar(steps, "training", shown, total_steps, initial=first, unit="step")
        forward = devices.wrap_ddp(network, compile=compile)
        named: set[str] = set()
        # since the last report; tensors, because reading a number waits for the GPU
        losses = [torch.tensor(values, device=devices.device) for values in run.pending]
        history, started = run.history, time.perf_counter() - run.seconds
        for step, batch in zip(bar, batches, strict=True):
            if validation and validation.gives_up(history):
                break
            for reason in set(batch.dropped) - named:
                _log.warning("left out: %s", reason)
            named.update(batch.dropped)
            lr = learning_rate(step, total_steps, recipe)
            for group in optimizer.param_groups:
                group["lr"] = lr * group["factor"]
            optimizer.zero_grad()
            loss = _backward(forward, network, batch, recipe.accumulate, loss_function, devices)
            if not (total := loss[0]).isfinite():
                raise FloatingPointError(
                    f"the loss is {total.item():.3g} at step {step}, with {batch.names}: most often"
                    f" the learning rate is too high, or its warm-up too short"
                )
            losses.append(loss)
            devices.scaler.unscale_(optimizer)
            if recipe.grad_clip_norm:
                nn.utils.clip_grad_norm_(network.parameters(), recipe.grad_clip_norm)
            devices.scaler.step(optimizer)
            devices.scaler.update()

            before, last = step * recipe.batch_size, step + 1 == total_steps
            seen = min(before + recipe.batch_size, recipe.samples)
            seconds = time.perf_counter() - started
            measures = validation is not None and validation.is_due(before, seen, last)
            if (step + 1) % log_every == 0 or measures or last:
                *means, positives = torch.stack(losses).mean(dim=0).tolist()
                losses.clear()
                found = validation.measure(network, devices, loss_function) if measures else ()
                line = Step(step + 1, seen, lr, *means, round(positives), seconds, *found)
                history.append(line)
                bar.set_postfix(loss=f"{line.total:.3f}", **last_measured(history))
                if report is not None and main:
                    report(line)
            if measures:
                run.save_best(network, history[-1])
            if seen // checkpoint_every > before // checkpoint_every or measures or last:
                pending = [values.tolist() for values in losses]
                run.save(network, optimizer, step + 1, seconds, pending, devices.scaler)
    return network.eval(), history


def _backward(
    forward: nn.Module, network: SSD, batch: Batch, count: int, function: Callable, devices: Devices
) -> Tensor:
    """Add a batch's gradient to the parameters', in `count` parts; return its loss.

    Returns:
        ``[4]``: total, confidence, localization and number of positives, of all processes.
    """
    parts = [part.to(devices.device) for part in batch.parts(count)]
    everywhere = devices.count_positives(network.priors, [part.targets for part in parts])
    variances, sums = network.config.priors.variances, []
    for images, targets, *_ in parts:
        with devices.autocast():
            logits, offsets = forward(images)
        loss = function(logits, offsets, targets, network.priors, variances=variances)
        loss = part_of(loss, everywhere)
        devices.scaler.scale(loss.total * devices.world_size).backward()  # DDP takes the mean
        sums.append(torch.stack([value.detach().float() for value in loss]))
    return devices.sum(sum(sums))


def learning_rate(step: int, total_steps: int, recipe: Recipe) -> float:
    """Warm up linearly from 0 to ``recipe.lr``; then half a cosine to 0, or steps of a tenth."""
    warm = max(1, round(recipe.warmup * total_steps))
    if step < warm:
        return recipe.lr * (step + 1) / warm
    if recipe.schedule == "steps":
        passed = sum(step >= round(share * total_steps) for share in recipe.milestones)
        return recipe.lr * 0.1**passed
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total_steps - warm)))


def make_optimizer(network: SSD, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer. Only convolution weights decay; biases learn at `bias_lr`.

    Each group has a ``factor``: its learning rate as a multiple of the recipe's.
    """
    named = list(network.named_parameters())
    weights = [p for _, p in named if p.ndim > 1]
    norms = [p for name, p in named if p.ndim == 1 and not name.endswith("bias")]
    biases = [p for name, p in named if p.ndim == 1 and name.endswith("bias")]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay, "factor": 1.0},
        {"params": norms, "weight_decay": 0.0, "factor": 1.0},
        {"params": biases, "weight_decay": 0.0, "factor": recipe.bias_lr},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, recipe.momentum)
    return torch.optim.AdamW(groups, recipe.lr, (recipe.momentum, 0.999))


def _transform(recipe: Recipe, network: SSD) -> Transform:
    """Return the recipe's augmentation: it has the settings of `training_transform`, by name."""
    names = inspect.signature(training_transform).parameters.keys() & asdict(recipe)
    return training_transform(network.image_size, **{name: getattr(recipe, name) for name in names})
