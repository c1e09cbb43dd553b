"""Check for pictures that are there more than once: equal files, and twins (see `twins`)."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from ssd_tutorial.datasets.records import Records
from ssd_tutorial.doctor.picture_rules import PictureFacts
from ssd_tutorial.doctor.rules import Fault
from ssd_tutorial.doctor.split_rules import home_splits
from ssd_tutorial.doctor.twins import find_twins

_EQUAL = ("picture-copied", "picture-repeated", "the same file as")  # across splits, in one, words
_ALIKE = ("picture-twin", "picture-similar", "nearly")
_NAMED = 3  # of a group's further pictures; JSON has all


def equal_files(facts: Mapping[str, PictureFacts]) -> list[list[str]]:
    """Group the names of pictures whose files are equal, two or more each."""
    groups = defaultdict(list)
    for name, seen in facts.items():
        if not seen.fault:
            groups[seen.digest].append(name)
    return [sorted(names) for names in groups.values() if len(names) > 1]


def check_copies(records: Records, facts: Mapping[str, PictureFacts]) -> list[Fault]:
    """Report pictures that are equal or nearly equal, one fault per group.

    Pictures that no split lists do not count: neither training nor evaluation uses them.
    """
    homes = home_splits(records)
    seen = {name: fact for name, fact in facts.items() if name in homes and not fact.fault}
    groups = [(names, _EQUAL) for names in equal_files(seen)]
    # of equal files in the same splits, one is compared
    one_of = {(fact.digest, *homes[name]): name for name, fact in seen.items()}
    for names in find_twins({name: seen[name].look for name in one_of.values()}):
        if len({seen[name].digest for name in names}) > 1:
            groups.append((names, _ALIKE))
    return [_of_group(records, homes, *group) for group in groups]


def _of_group(
    records: Records, homes: Mapping[str, list[str]], names: list[str], words: tuple[str, str, str]
) -> Fault:
    """Return the fault of pictures that are too similar.

    It shows two pictures that no split has in common, or else the first two.
    """
    across, together, how = words
    first = {tuple(homes[name]): name for name in reversed(names)}  # of each combination of splits
    pairs = combinations(sorted(first.values()), 2)
    apart = [pair for pair in pairs if set(homes[pair[0]]).isdisjoint(homes[pair[1]])]
    a, b = apart[0] if apart else names[:2]
    file, other, *more = map(records.shown_picture, [a, b, *(n for n in names if n not in (a, b))])
    what = f"{how} {other}" + (f" ({homes[a][0]} and {homes[b][0]})" if apart else "")
    if more:
        what += f", and {len(more)} more: {', '.join(more[:_NAMED])}" + ", …" * (len(more) > _NAMED)
    return Fault(across if apart else together, file, what, other=other, more=tuple(more))
