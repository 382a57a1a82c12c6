"""Bring data sets to this machine: stage.py s3://bucket/data ~/data

What is here already, in the same version, is not fetched again. A file appears whole, under its name, or not
at all. ``.tar`` files are unpacked beside where they lie (an ImageNet of 1.3 million objects is best kept in
one), and remembered as unpacked.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from places import Bucket, Folder, Item, place

AT_ONCE = 16


def main() -> int:
    """Stage; prints what was fetched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="s3://bucket/prefix, or a folder")
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    began, source, target = time.monotonic(), place(args.source), args.target.expanduser()
    target.mkdir(parents=True, exist_ok=True)
    noted = target / ".staged.json"
    known: dict[str, str] = json.loads(noted.read_text()) if noted.exists() else {}
    missing = [item for item in source.items() if known.get(item.name) != item.mark]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for item in pool.map(lambda item: fetch(source, item, target), missing):
            known[item.name] = item.mark
    part = noted.with_suffix(".part")
    part.write_text(json.dumps(known))
    os.replace(part, noted)
    size = sum(item.size for item in missing) / 1e9
    print(
        f"{args.source}: {len(missing)} files, {size:.2f} GB in {time.monotonic() - began:.0f} s -> {target}"
    )
    return 0


def fetch(source: Folder | Bucket, item: Item, target: Path) -> Item:
    """Fetch one file; a .tar is unpacked and not kept."""
    file = target / item.name
    if not file.resolve().is_relative_to(target.resolve()):
        raise SystemExit(f"error: {item.name} would lie outside {target}")
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    source.get(item.name, part)
    if file.suffix == ".tar":
        with tarfile.open(part) as archive:
            archive.extractall(file.parent, filter="data")
        part.unlink()
    else:
        os.replace(part, file)
    return item


if __name__ == "__main__":
    sys.exit(main())
