"""Check splits: empty, with repeated pictures, or with pictures in common; `twins` has copies."""

from itertools import combinations, permutations

from ssd_tutorial.datasets.records import Records
from ssd_tutorial.doctor.rules import Fault

_RANKS = {("test",): 3, ("val", "dev", "minival"): 2, ("train",): 1}  # by how the name begins


def unions_of(records: Records) -> dict[str, tuple[str, ...]]:
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
    unions = unions_of(records)
    return tuple(split for split in records.splits if split not in unions)


def rank(split: str) -> int:
    """Rank a split; the highest keeps a shared picture: 3 test, 2 val, 1 train, 0 others."""
    return next((rank for words, rank in _RANKS.items() if split.lower().startswith(words)), 0)


def check_splits(records: Records) -> list[Fault]:
    """Judge the splits by the pictures that they list."""
    faults = []
    for split, names in records.splits.items():
        file = records.shown_split(split)
        if not names:
            faults.append(Fault("split-empty", file, "it lists no picture"))
        elif rank(split) < 3 and not any(records.pictures[name].objects for name in names):
            what = f"its {len(names)} pictures have no object"
            faults.append(Fault("split-without-objects", file, what))
        for name, count in records.repeated(split).items():
            faults.append(Fault("split-repeats", file, f"{name} is listed {count} times"))
    if not records.pictures and not faults and not records.faults:
        faults.append(Fault("split-empty", ".", "no picture was found"))
    elif all(not picture.objects for picture in records.pictures.values()) and not faults:
        faults.append(Fault("split-without-objects", ".", "no picture has an object"))
    nested = nested_splits(records)
    for inner, outer in sorted(nested):
        what = f"its {len(set(records.splits[inner]))} pictures are all in {outer}"
        faults.append(Fault("split-within", records.shown_split(inner), what, other=outer))
    for a, b in combinations(base_splits(records), 2):
        if (a, b) not in nested and (b, a) not in nested:
            second = set(records.splits[b])
            for name in dict.fromkeys(records.splits[a]):
                if name in second:
                    file = records.shown_picture(name)
                    faults.append(Fault("split-overlap", file, f"it is in {a} and in {b}"))
    return faults


def nested_splits(records: Records) -> list[tuple[str, str]]:
    """Return pairs (inner, outer) of splits of one role, such as train_small in train."""
    sets = {split: set(records.splits[split]) for split in base_splits(records)}
    return [
        (a, b)
        for a, b in permutations(sets, 2)
        if sets[a] and (sets[a] < sets[b] or (sets[a] == sets[b] and a > b))
        if rank(b) in (rank(a), 0)
    ]


def home_splits(records: Records) -> dict[str, list[str]]:
    """Return the splits, without unions, of each picture that one of them lists."""
    base = base_splits(records)
    homes = {name: [s for s in found if s in base] for name, found in records.splits_of().items()}
    return {name: found for name, found in homes.items() if found}
