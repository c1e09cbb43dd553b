"""SSD (Single Shot MultiBox Detector), box by box: the package behind the book.

One module holds one idea and is named after it: ``presets``, ``scales``, ``boxes``, ``priors``,
``targets``, ``matching``, ``mining``, ``loss``, ``network``, ``detect``, ``evaluate``. Import the
module you need; nothing is loaded before that.

Everywhere: boxes are fractions of the image unless a name ends in ``_px``, a name says ``xyxy`` or
``cxcywh`` where the format is not obvious, and class 0 is the background.
"""

__version__ = "0.1.0"
