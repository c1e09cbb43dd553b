"""Imported before jsonschema, this keeps it from compiling 38 grammars of addresses for 4 s.

nbformat and jupyter-book import jsonschema; it takes rfc3987_syntax for the format "iri", which no
notebook and no configuration of ours has.
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)
