"""Check splits: empty, with repeated pictures, or with pictures in common."""

from collections import defaultdict
from collections.abc import Mapping
from itertools import combinations

from ssd_tutorial.datasets.records import Records
from ssd_tutorial.doctor.rules import Fault

_COPIES = ("picture-copied", "picture-repeated")
_ROLES = (("test",), ("val", "valid", "dev", "minival"), ("train",))


def union_parts(records: Records) -> dict[str, tuple[str, ...]]:
    """Return the splits that are unions of others, such as ``trainval``, with those others."""
    sets = {split: set(names) for split, names in records.splits.items()}
    by_size = sorted(sets, key=lambda split: (-len(sets[split]), split))
    unions: dict[str, tuple[str, ...]] = {}
    for split in by_size:
        covered, parts = set(), []
        for other in by_size:  # large ones first: test is not a part of trainval if they overlap
            if other not in unions and sets[other] < sets[split] and sets[other] - covered:
                covered |= sets[other]
                parts.append(other)
        if len(parts) > 1 and covered == sets[split]:
            unions[split] = tuple(parts)
    return unions


def base_splits(records: Records) -> tuple[str, ...]:
    """Return the splits that should not share a picture: all but unions."""
    unions = union_parts(records)
    return tuple(split for split in records.splits if split not in unions)


def rank(split: str) -> int:
    """Rank a split; the highest keeps a shared picture: 3 test, 2 val, 1 train, 0 others."""
    name = split.lower()
    if name.startswith("trainval"):
        return 1
    for value, words in zip((3, 2, 1), _ROLES, strict=True):
        if any(name.startswith(word) for word in words):
            return value
    return 0


def check_splits(records: Records, digests: Mapping[str, str]) -> list[Fault]:
    """Judge the splits.

    Args:
        records: the dataset.
        digests: for each picture that could be read, a hash of its file.
    """
    faults = []
    for split, names in records.splits.items():
        file = records.shown_split(split)
        if not names:
            faults.append(Fault("split-empty", file, "it lists no picture"))
        elif rank(split) < 3 and not any(records.pictures[name].objects for name in names):
            what = f"its {len(names)} pictures have no object"
            faults.append(Fault("split-without-objects", file, what))
        faults += [
            Fault("split-repeats", file, f"{name} is listed {count} times")
            for name, count in records.repeated(split).items()
        ]
    if not records.pictures and not faults and not records.faults:
        faults.append(Fault("split-empty", ".", "no picture was found"))
    elif all(not picture.objects for picture in records.pictures.values()) and not faults:
        faults.append(Fault("split-without-objects", ".", "no picture has an object"))
    within = {(inner, outer) for inner, outer in within_splits(records)}
    for inner, outer in sorted(within):
        what = f"its {len(set(records.splits[inner]))} pictures are all in {outer}"
        faults.append(Fault("split-within", records.shown_split(inner), what, other=outer))
    base = base_splits(records)
    for a, b in combinations(base, 2):
        if (a, b) in within or (b, a) in within:
            continue
        second = set(records.splits[b])
        faults += [
            Fault("split-overlap", records.shown_picture(name), f"it is in {a} and in {b}")
            for name in dict.fromkeys(records.splits[a])
            if name in second
        ]
    return faults + _check_content(records, digests)


def within_splits(records: Records) -> list[tuple[str, str]]:
    """Return pairs (inner, outer) of splits of one role, such as train_small in train."""
    base = base_splits(records)
    sets = {split: set(records.splits[split]) for split in base}
    return [
        (a, b)
        for a in base
        for b in base
        if a != b
        and sets[a]
        and (sets[a] < sets[b] or (sets[a] == sets[b] and a > b))
        and rank(b) in (rank(a), 0)
    ]


def _check_content(records: Records, digests: Mapping[str, str]) -> list[Fault]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, digest in digests.items():
        groups[digest].append(name)
    belongs = home_splits(records)
    faults = []
    for names in groups.values():
        names.sort()
        for i, name in enumerate(names[1:], 1):
            found = [judge_pair(records, belongs, other, name, *_COPIES) for other in names[:i]]
            found = [fault for fault in found if fault is not None]
            found.sort(key=lambda fault: fault.code != "picture-copied")  # the more severe first
            faults += [fault._replace(what=f"the same file as {fault.what}") for fault in found[:1]]
    return faults


def home_splits(records: Records) -> dict[str, list[str]]:
    """Return the splits of each picture that any split lists, without unions."""
    base = base_splits(records)
    return {name: [s for s in splits if s in base] for name, splits in records.splits_of().items()}


def judge_pair(
    records: Records, belongs: Mapping[str, list[str]], a: str, b: str, across: str, together: str
) -> Fault | None:
    """Return the fault of two pictures that are too similar; its text names the second.

    Args:
        records: the dataset.
        belongs: from `home_splits`.
        a: name of the first picture.
        b: name of the second.
        across: code of the fault if no split has both.
        together: code of the fault if one has.

    Returns:
        None if one of them belongs to no split, so that neither training nor evaluation uses it.
    """
    of_a, of_b = belongs.get(a, []), belongs.get(b, [])
    if not (of_a and of_b):
        return None
    if set(of_a) & set(of_b):
        code, shown = together, records.shown_picture(b)
    else:
        code, shown = across, f"{records.shown_picture(b)} ({of_a[0]} and {of_b[0]})"
    return Fault(code, records.shown_picture(a), shown, other=records.shown_picture(b))
