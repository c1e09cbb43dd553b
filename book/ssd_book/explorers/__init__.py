"""Live explorers: widgets that work in JupyterLab, in Colab and in the built page (all chapters).

Each is a class of a few lines here and an ES module in `static/`; `CONTRIBUTING.md` says how to add
one.
"""

from ssd_book.explorers.aspect import AspectRatioExplorer
from ssd_book.explorers.crop import CropExplorer
from ssd_book.explorers.iou import IoUExplorer
from ssd_book.explorers.loss import LossExplorer
from ssd_book.explorers.matching import MatchingExplorer
from ssd_book.explorers.mining import MiningExplorer
from ssd_book.explorers.nms import NMSExplorer
from ssd_book.explorers.precision_recall import PrecisionRecallExplorer
from ssd_book.explorers.priors import PriorExplorer
from ssd_book.explorers.scales import ScalesExplorer

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
