"""Checks what a launch talks to: results folder, store, Optuna's database, MLflow, Ray, the data."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study.doctor.findings import DoctorContext, Finding, borrowed, roomy, typed
from study.errors import UserError, one_line

if TYPE_CHECKING:
    from trainables.config.data import Data
    from trainables.data.raw import RawData

PROBE = "sdd-study-doctor"

MOST_FAULTS = 20
"""Most files that cannot be read and are named one by one; the rest are counted."""


def check_results(situation: DoctorContext) -> Iterable[Finding]:
    """Check that the results folder can be written, and SQLite files in it locked; there is room."""
    from study.workspace.sqlite import sqlite_url
    from trainables.storage.blobs import StorageError
    from trainables.storage.opening import open_storage, probe

    results = situation.folder.results
    remedy = "choose another --results, or mend its permissions"
    try:
        with borrowed(results):
            probe(open_storage(results))
            database = results / f".{PROBE}-{uuid.uuid4().hex}.db"
            try:
                write_database(sqlite_url(database))
            finally:
                database.unlink(missing_ok=True)
            free = shutil.disk_usage(results).free
    except (OSError, StorageError) as error:
        yield Finding("results", "fail", " ".join(str(error).split()), remedy)
        return
    except UserError as error:
        remedy = "SQLite needs locks, which some network file systems lack: see --optuna, MLFLOW_TRACKING_URI"
        yield Finding("results", "fail", str(error), remedy)
        return
    yield Finding("results", "ok", f"{results}: written, listed, read, deleted; SQLite works there")
    yield roomy("disk", free, 1.0, 10.0, "checkpoints, students and remembered views go there: make room")


def check_store(situation: DoctorContext) -> Iterable[Finding]:
    """Write to the store, where it is not in the results folder."""
    from trainables.storage.blobs import StorageError
    from trainables.storage.folder import FolderStorage
    from trainables.storage.opening import open_storage, probe

    url = situation.folder.locations.store
    if url is None:
        yield Finding("store", "ok", "in the results folder")
        return
    try:
        storage = open_storage(url)
        if isinstance(storage, FolderStorage):
            with borrowed(storage.root):
                probe(storage)
                free = shutil.disk_usage(storage.root).free
            yield roomy("store's disk", free, 1.0, 10.0, "runs and teachers go there: make room")
        else:
            probe(storage)
    except (OSError, StorageError) as error:
        remedy = "see its URL, credentials and permissions (--store, SDD_STORE)"
        yield Finding("store", "fail", " ".join(str(error).split()), remedy)
        return
    yield Finding("store", "ok", f"{url}: written, listed, read, deleted")


def check_optuna(situation: DoctorContext) -> Iterable[Finding]:
    """Write to Optuna's database, where it is not a file in the study's folder."""
    from study.search.optuna_storage import check_version
    from study.workspace.locations import check_database, without_password

    url = situation.folder.locations.optuna
    if url is None:
        yield Finding("optuna", "ok", "SQLite in the study's folder")
        return
    try:
        check_database(url)
        check_version(url)
        write_database(url)
    except UserError as error:
        yield Finding("optuna", "fail", str(error), "start it, or see --optuna and SDD_OPTUNA_URL")
        return
    yield Finding("optuna", "ok", f"{without_password(url)}: a table was made, written, read, dropped")


def write_database(url: str) -> None:
    """Make, fill, read and drop a table; :class:`UserError` with the database's reason where that fails."""
    from sqlalchemy import Column, Integer, MetaData, Table, create_engine, insert, select
    from sqlalchemy.exc import SQLAlchemyError

    table = Table(f"sdd_doctor_{uuid.uuid4().hex[:12]}", MetaData(), Column("n", Integer))
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            table.create(connection)
            try:
                connection.execute(insert(table).values(n=7))
                if connection.execute(select(table.c.n)).scalar_one() != 7:
                    raise UserError("what was written is not what is read")
            finally:
                table.drop(connection)
    except SQLAlchemyError as error:
        raise UserError(f"cannot write: {one_line(error, part='first')}") from None
    finally:
        engine.dispose()


def check_mlflow(situation: DoctorContext) -> Iterable[Finding]:
    """Check that MLflow takes a tag and gives it back, and its artifact store a file, and deletes it."""
    from study.tracking.client import connect
    from study.workspace.locations import without_password
    from study.workspace.sqlite import sqlite_file

    folder = situation.folder
    uri = folder.mlflow_uri
    if (file := sqlite_file(uri)) is not None and not file.exists():
        yield Finding("mlflow", "ok", f"{uri}: the first launch makes it")
        return
    client = connect(folder)
    experiments = client.search_experiments(max_results=1)
    if not experiments:
        yield Finding("mlflow", "ok", f"{without_password(uri)}: answers, and holds no experiment yet")
        return
    experiment, value = experiments[0], uuid.uuid4().hex
    try:
        client.set_experiment_tag(experiment.experiment_id, PROBE, value)
        found = client.get_experiment(experiment.experiment_id).tags.get(PROBE)
        client.delete_experiment_tag(experiment.experiment_id, PROBE)
    except Exception as error:
        remedy = "its user may need the right to write; see the server's log"
        yield Finding("mlflow", "fail", f"{without_password(uri)}: {typed(error)}", remedy)
        return
    read = "written and read" if found == value else "written, but another value is read"
    yield Finding("mlflow", "ok" if found == value else "fail", f"{without_password(uri)}: {read}")
    yield _artifacts(experiment, uri)


def _artifacts(experiment: Any, uri: str) -> Finding:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    from study.tracking.database import local_path

    place = f"{experiment.artifact_location}/{PROBE}-{uuid.uuid4().hex}"
    try:
        repository: Any = get_artifact_repository(place, tracking_uri=uri)
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "probe"
            file.write_text(PROBE)
            repository.log_artifact(str(file))
        listed = [item.path for item in repository.list_artifacts()]
        repository.delete_artifacts()
        local = local_path(place)
        if local.is_absolute() and local.is_dir():
            local.rmdir()
    except Exception as error:
        remedy = "see the server's --artifacts-destination, or --default-artifact-root, and its credentials"
        return Finding("mlflow artifacts", "fail", f"{experiment.artifact_location}: {typed(error)}", remedy)
    if listed != ["probe"]:
        return Finding("mlflow artifacts", "fail", f"{place}: what was written is not listed")
    return Finding("mlflow artifacts", "ok", f"{experiment.artifact_location}: written, listed, deleted")


def check_ray(situation: DoctorContext) -> Iterable[Finding]:
    """Check that a cluster answers, or one starts on this machine, and runs a task with the same versions."""
    import ray
    import torch

    from study.compute.cluster import Cluster

    cluster = Cluster(situation.address)
    remedy = (
        "is the cluster up, and --address right?"
        if cluster.address
        else "see the reason; `ray stop` may help"
    )
    try:
        cluster.connect()
        total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        there = ray.get(ray.remote(_versions).options(num_cpus=0).remote(), timeout=60)
    except Exception as error:
        yield Finding("ray", "fail", typed(error), remedy)
        return
    finally:
        cluster.close()
    where = f"at {cluster.address}" if cluster.address else "started on this machine and stopped again"
    has = ", ".join(f"{number:g} {name}" for name, number in sorted(total.items()) if name in ("CPU", "GPU"))
    nodes = sum(name.startswith("node:") and not name.endswith("__") for name in total)
    here = _versions()
    yield Finding("ray", "ok", f"Ray {ray.__version__} {where}: {nodes} node, {has}")
    if there != here:
        remedy = "install the same versions there; a launcher and its cluster must agree"
        yield Finding("ray's versions", "fail", f"the cluster has {there}, this process {here}", remedy)
    if torch.cuda.is_available() and not total.get("GPU"):
        yield Finding("ray's GPUs", "warn", "torch sees a GPU, Ray does not", "see CUDA_VISIBLE_DEVICES")


def _versions() -> dict[str, str]:
    import platform
    from importlib.metadata import version

    return {"python": platform.python_version(), "torch": version("torch"), "ray": version("ray")}


def check_space(situation: DoctorContext) -> Iterable[Finding]:
    """Check that the study that was named can be planned: names, data, weight files, scales."""
    if situation.space is None:
        return
    from study.loading import load_space
    from study.plan.describe import describe_images
    from study.plan.resolve import resolve
    from trainables.config.serialization import ConfigError

    spec = load_space(situation.space, situation.overrides)
    yield Finding("space", "ok", f"{situation.space}: {len(spec.pairs)} pairs, {len(spec.methods)} methods")
    try:
        plan = resolve(spec)
    except ConfigError as error:
        yield Finding("data", "fail", str(error), "see the field of the space file that is named")
        return
    root = f" in {plan.data.root}" if plan.data.root else ""
    yield Finding("data", "ok", f"{plan.data.name}{root}: {describe_images(plan)}")
    for remark in plan.raw.remarks:
        yield Finding("data", "warn", remark, "delete what is not wanted there, or leave it: it is not read")
    if situation.read_files:
        yield from _files(plan.raw, plan.data, situation.progress)


def _files(raw: RawData, data: Data, progress: Callable[[int, int], None]) -> Iterable[Finding]:
    """Read every file of the set; a set that is kept in memory has been read whole already."""
    from trainables.data.inspection import read_every

    total, faults = len(raw.train_images) + len(raw.test_images), 0
    for done, fault in enumerate(read_every(raw, data), 1):
        progress(done, total)
        if fault is not None:
            faults += 1
            if faults <= MOST_FAULTS:
                found, _, remedy = str(fault).removeprefix("root: ").rpartition("; ")
                yield Finding("data files", "fail", found, remedy)
    if faults > MOST_FAULTS:
        yield Finding("data files", "fail", f"{faults - MOST_FAULTS} more files cannot be read")
    if not faults:
        yield Finding("data files", "ok", f"each of {total} images can be read")


CHECKS = (
    ("results", check_results),
    ("store", check_store),
    ("optuna", check_optuna),
    ("mlflow", check_mlflow),
    ("space", check_space),
    ("ray", check_ray),
)
