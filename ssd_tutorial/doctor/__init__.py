"""What is wrong with a dataset, and which of its objects no prior reaches (chapter 16).

`examine` changes nothing; its `Report` says what was found, and `doctor.drawing.figure` draws it.
`fix` writes a corrected copy.
"""

from ssd_tutorial.doctor.corrections import Change, fix
from ssd_tutorial.doctor.examination import examine
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.rules import RULES, Fault, Rule

__all__ = ["RULES", "Change", "Fault", "Report", "Rule", "examine", "fix"]
