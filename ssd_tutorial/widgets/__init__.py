"""Live explorers: widgets that work in JupyterLab, in Colab and in the built page (all chapters).

Each is a class of a few lines here and an ES module in `static/`; `CONTRIBUTING.md` says how to add
another one.
"""

from ssd_tutorial.widgets.aspect import AspectRatioExplorer
from ssd_tutorial.widgets.crop import CropExplorer
from ssd_tutorial.widgets.iou import IoUExplorer
from ssd_tutorial.widgets.loss import LossExplorer
from ssd_tutorial.widgets.matching import MatchingExplorer
from ssd_tutorial.widgets.mining import MiningExplorer
from ssd_tutorial.widgets.nms import NMSExplorer
from ssd_tutorial.widgets.precision_recall import PrecisionRecallExplorer
from ssd_tutorial.widgets.priors import PriorExplorer
from ssd_tutorial.widgets.scales import ScalesExplorer

__all__ = [
    "AspectRatioExplorer",
    "CropExplorer",
    "IoUExplorer",
    "LossExplorer",
    "MatchingExplorer",
    "MiningExplorer",
    "NMSExplorer",
    "PrecisionRecallExplorer",
    "PriorExplorer",
    "ScalesExplorer",
]
