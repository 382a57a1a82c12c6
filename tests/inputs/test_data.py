"""Data sets as people have them: what each must do when a study on it is resolved."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from study.plan.resolve import resolve
from study.spec import KD, Feature, Int, Pair, StudySpec, Training
from tests.inputs import sets
from tests.inputs.case import Case, Read, Refused, hold, table
from trainables.config import Data

ODD = "\udcf6l.JPEG"
"""A name whose bytes are no UTF-8."""

ENTRIES = (
    Case("a set as it was published", sets.imagenet(), Read()),
    Case("macOS files beside each image", sets.imagenet(sets.beside_each(lambda n: f"._{n}")), Read("12 hidden files")),
    Case("the Finder's own file", sets.imagenet(sets.file("train/.DS_Store")), Read("1 hidden file ")),
    Case("the folder of a zip made on macOS", sets.imagenet(sets.file("val/__MACOSX/._n01")), Read("1 hidden folder")),
    Case("a notebook's checkpoints", sets.imagenet(sets.image("train/n01/.ipynb_checkpoints/a.JPEG")), Read("1 hidden folder")),
    Case("lists beside the images", sets.imagenet(sets.file("train/n01/list.txt")), Read(r"1 \.txt file ")),
    Case("a folder that is named like an image", sets.imagenet(sets.file("train/n01/x.JPEG/y")), Read("1 folder ")),
    Case("a name that is no UTF-8", sets.imagenet(sets.moved("train/n01/0.JPEG", f"train/n01/{ODD}")), Read()),
    Case("a class whose name is no UTF-8", sets.imagenet(*(sets.moved(f"{p}/n02", f"{p}/{ODD}") for p in ("train", "val"))), Read()),
    Case("a link to an image", sets.imagenet(sets.link("train/n01/0.JPEG", "../n02/0.JPEG")), Read()),
    Case("a link that leads nowhere", sets.imagenet(sets.link("train/n01/0.JPEG", "/nowhere")), Refused(r"0\.JPEG is a link that leads nowhere; fetch its file")),
    Case("a class that is a link to nowhere", sets.imagenet(sets.link("train/n03", "/nowhere")), Refused(r"n03 is a link that leads nowhere")),
    Case("an empty file", sets.imagenet(sets.file("train/n01/0.JPEG", b"")), Refused(r"0\.JPEG is empty; copy it again")),
    Case("a flat val/", sets.imagenet(lambda p: [shutil.rmtree(p / "val"), sets.image("val/1.JPEG")(p)]), Refused("val holds 1 images beside 0 class folders; put each image into the folder of its class")),
    Case("a class of .tif files", sets.imagenet(lambda p: [shutil.rmtree(p / "val/n01"), sets.image("val/n01/1.tif")(p)]), Refused(r"holds no images; read are \.bmp, .*1 \.tif file")),
    Case("a class for test alone", sets.imagenet(sets.image("val/n03/1.JPEG")), Refused("n03 is a class that train/ has not")),
)  # fmt: skip
LISTS = (
    Case("CUB's lists as they were published", sets.cub200(), Read()),
    Case("a blank last line", sets.cub200(sets.edited("images.txt", lambda t: t + b"\n")), Read()),
    Case("trailing blanks", sets.cub200(sets.edited("images.txt", lambda t: t.replace(b"\n", b"  \n"))), Read()),
    Case("Windows' line ends and mark", sets.cub200(sets.edited("classes.txt", lambda t: b"\xef\xbb\xbf" + t.replace(b"\n", b"\r\n"))), Read()),
    Case("a line cut short", sets.cub200(sets.edited("images.txt", lambda t: t.replace(b"3 001", b"3\n001", 1))), Refused(r"images\.txt, line 3: fewer than 2 words")),
    Case("labels as a uint8 array", sets.cifar100({b"fine_labels": np.arange(20, dtype=np.uint8) % 2}), Read()),
    Case("a pickle of protocol 5", sets.cifar100(protocol=5), Read()),
    Case("labels of different lengths", sets.cifar100({b"fine_labels": [[1], [1, 2]] * 10}), Refused("its labels are no list of numbers")),
    Case("labels that are fractions", sets.cifar100({b"fine_labels": [0.5] * 20}), Refused("labels, of type float64, not whole numbers")),
)  # fmt: skip
COUNTS = (
    Case("two images a class", sets.packed([0, 0, 1, 1], [0, 1]), Read()),
    Case("a class with one training image", sets.packed([0, 0, 0, 1], [0, 1]), Refused("data.validation: class 'c1' has 1 training images")),
    Case("classes without training images", sets.packed([0, 0, 3, 3], [0, 1]), Refused(r"class 'c1' has 0 training images, 0 of them held out.*1 more classes")),
    Case("such a class that is left out", sets.packed([0, 0, 1, 2, 2], [0, 2], classes=(0, 2)), Read()),
    Case("no test image of the classes in use", sets.packed([0, 0, 1, 1, 2, 2], [2], classes=(0, 1)), Refused("data.classes: there are no test images")),
    Case("next to nothing held out", sets.packed([0, 1] * 6, [0, 1], validation=1e-12), Read()),
    Case("next to all held out", sets.packed([0, 1] * 6, [0, 1], validation=1 - 1e-12), Read()),
    Case("next to nothing kept", sets.packed([0, 1] * 6, [0, 1], fraction=1e-300), Read()),
    Case("scenes all but one held out", sets.digits(validation=1 - 1e-12), Refused("data.validation: class 'one' has")),
    Case("hardly a scene held out", sets.digits(validation=1e-12), Refused("data.validation: class '.*' has .*, 0 of them held out")),
    Case("a path with a zero byte", lambda p: Data(name="imagenet", root=f"{p}\0"), Refused("data.root: .* is no usable path")),
    Case("a path that is too long", lambda p: Data(name="imagenet", root=f"{p}/{'x' * 300}"), Refused("data.root: .* is no usable path")),
    Case("somebody else's home", lambda p: Data(name="imagenet", root="~nobody-of-that-name/x"), Refused("data.root: .*nobody-of-that-name.* does not exist")),
)  # fmt: skip


def resolved(data: Data) -> tuple[str, ...]:
    """Resolve a small study on ``data``; what is said about it."""
    pairs = (Pair("resnet8", "resnet8"),)
    training = Training(epochs=1, milestones=(), precision="float32")
    return resolve(StudySpec(data=data, pairs=pairs, methods=(KD(),), training=training)).raw.remarks


@table(*ENTRIES, *LISTS, *COUNTS)
def test_data(case: Case, tmp_path: Path) -> None:
    hold(case, tmp_path, resolved)


def test_a_part_too_small_for_its_batches_is_refused() -> None:
    training = Training(epochs=1, milestones=(), precision="float32", batch_size=64, batch_norm_parts=32)
    data = Data(name="cluttered_digits", validation=0.5, fraction=0.2, options={"scenes": 100, "test": 100})
    spec = StudySpec(data=data, pairs=(Pair("resnet8", "resnet8"),), methods=(KD(),), training=training)
    with pytest.raises(ValueError, match=r"training.batch_norm_parts: the 10 images .* fill no batch"):
        resolve(spec)


def test_more_negatives_than_the_part_that_is_searched_on_has_images_are_refused() -> None:
    crd = Feature("crd", negatives=Int(8, 75))
    data = Data(name="cluttered_digits", validation=0.25, options={"scenes": 100, "test": 100})
    training = Training(epochs=1, milestones=(), precision="float32")
    spec = StudySpec(data=data, pairs=(Pair("resnet8", "resnet8"),), methods=(crd,), training=training)
    with pytest.raises(ValueError, match=r"methods.0.features.0: crd.negatives: 75 .* has 75; .* at most 74"):
        resolve(spec)
