"""Live explorers: widgets that work in JupyterLab, in Colab and in the built page (all chapters).

Each is a class of a few lines here and an ES module in `static/`; `CONTRIBUTING.md` says how to add
one. A class is imported when it is first used: what needs the scripts alone does not load PyTorch.
"""

from typing import TYPE_CHECKING, Any

import lazy_loader

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__, __all__ = lazy_loader.attach(
        __name__,
        submod_attrs={
            "aspect": ["AspectRatioExplorer"],
            "crop": ["CropExplorer"],
            "diagnosis": ["DiagnosisExplorer"],
            "film": ["FilmExplorer"],
            "iou": ["IoUExplorer"],
            "loss": ["LossExplorer"],
            "matching": ["MatchingExplorer"],
            "mining": ["MiningExplorer"],
            "nms": ["NMSExplorer"],
            "opening": ["Opening"],
            "precision_recall": ["PrecisionRecallExplorer"],
            "priors": ["PriorExplorer"],
            "receptive": ["ReceptiveFieldExplorer"],
            "roi": ["RoiPoolingExplorer"],
            "scales": ["ScalesExplorer"],
            "training": ["TrainingExplorer"],
        },
    )
