"""What is wrong with a dataset, and which of its objects no prior reaches (chapter 16).

`examine` looks and changes nothing; its `Report` says what was found, and `figure` draws it.
"""

from ssd_tutorial.doctor.examine import examine
from ssd_tutorial.doctor.faults import RULES, Fault, Rule
from ssd_tutorial.doctor.report import Report

__all__ = ["RULES", "Fault", "Report", "Rule", "examine"]
