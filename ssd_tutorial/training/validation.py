"""Measuring a network while it trains, on pictures that it does not train on (chapter 15)."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.evaluate import GroundTruth, voc_ap
from ssd_tutorial.network import SSD
from ssd_tutorial.training.distributed import Devices
from ssd_tutorial.training.loader import collate
from ssd_tutorial.training.log import Step, measured

_BATCH = 16  # pictures at once: without gradients, a fraction of what training needs


class Validation(NamedTuple):
    """What to measure a network on during training, and how often.

    Measuring changes nothing: the weights are the same, bit for bit, without it.
    """

    dataset: Dataset
    """Items at the network's size, such as those of a `CachedDataset`."""
    every: int
    """Samples between two measurements; the last step is always measured."""
    patience: int = 0
    """End the run after this many measurements in a row without a better mAP; 0: never."""

    def is_due(self, before: int, seen: int, last: bool) -> bool:
        """Return whether to measure after a step that went from `before` samples to `seen`."""
        return last or seen // self.every > before // self.every

    def measure(self, network: SSD, devices: Devices, loss_function: Callable) -> list[float]:
        """Measure a network in evaluation mode, and return it to training mode.

        With several processes, the first one measures and tells the others, which wait.

        Returns:
            mAP at IoU 0.5, as VOC 2010 and later define it, and the loss per positive over all
            pictures, without augmentation.
        """
        values = torch.zeros(2, dtype=torch.float64)
        if devices.is_main_process:
            found = self._measure(network, devices, loss_function)
            values = torch.tensor(found, dtype=torch.float64)
        shared = values.to(devices.device) if devices.world_size > 1 else values
        return devices.sum(shared).tolist()

    @torch.inference_mode()
    def _measure(
        self, network: SSD, devices: Devices, loss_function: Callable
    ) -> tuple[float, float]:
        network.eval()
        size, variances = network.image_size, network.config.priors.variances
        found, truths, total, positives = [], [], 0.0, 0
        for first in range(0, len(self.dataset), _BATCH):
            indices = range(first, min(first + _BATCH, len(self.dataset)))
            items = [self.dataset[i] for i in indices]
            images, targets, *_ = collate(network.num_classes, items).to(devices.device)
            with devices.autocast():
                logits, offsets = (output.float() for output in network(images))
            loss = loss_function(logits, offsets, targets, network.priors, variances=variances)
            total += float(loss.total * loss.num_positives)
            positives += int(loss.num_positives)
            detections = postprocess(logits, offsets, network.priors, variances=variances)
            found += [Detections(*(x.cpu() for x in one)) for one in detections]
            for _, target in items:
                boxes = target["boxes"].as_subclass(Tensor) / size
                truths.append(GroundTruth(boxes, target["labels"], target["difficult"]))
        network.train()
        mean_ap = voc_ap(found, truths, self.dataset.classes).mean_ap
        return mean_ap, total / max(positives, 1)

    def gives_up(self, history: Sequence[Step]) -> bool:
        """Return whether the last `patience` measurements were no better than one before them."""
        maps = [step.val_map50 for step in measured(history)]
        return bool(maps) and 0 < self.patience < len(maps) - maps.index(max(maps))


def last_measured(history: Sequence[Step]) -> dict[str, str]:
    """Return the last measurement and the best one, for a progress bar."""
    maps = [step.val_map50 for step in measured(history)]
    return {"mAP": f"{maps[-1]:.3f}", "best": f"{max(maps):.3f}"} if maps else {}
