"""Traces the processes of a study, and ends one of them at a given moment of its life.

On the PYTHONPATH of a launcher and, with it, of all processes of its Ray.

SDD_TRACE: a file that gets a line for each epoch of a trial that is kept: trial key, epoch, process. An epoch
that was kept and is trained again would be kept again: its line would be there twice.

SDD_DIE_AT, SDD_DIED: the first process that comes to this moment ends there, as by SIGKILL, and leaves the
file SDD_DIED.
"""

import functools
import os
import signal
import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder

WORKER = any(word.endswith("default_worker.py") for word in sys.orig_argv)


def die_at(moment, after_s=None):
    """End this process, the first that gets here, if this is the moment; ``after_s`` from now if given."""
    if os.environ.get("SDD_DIE_AT") != moment or not WORKER:
        return
    if after_s is not None:
        threading.Timer(after_s, die_at, (moment,)).start()
        return
    try:
        os.close(os.open(os.environ["SDD_DIED"], os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def leave(key, epoch):
    line = f"{key} {epoch} {os.getpid()}\n".encode()
    file = os.open(os.environ["SDD_TRACE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line)
    os.close(file)


def trace_run_store(module):
    folder = module.RunFolder
    write, finish = folder.write_checkpoint, folder.finish

    def traced_write(self, epoch, data):
        if epoch == 1:
            die_at("before the first report")
        fsync = os.fsync
        if epoch == 2:  # the temporary file is whole, and not in its place yet
            os.fsync = lambda file: (die_at("while it saves"), fsync(file))
        try:
            write(self, epoch, data)
        finally:
            os.fsync = fsync
        leave(self.name, epoch)
        die_at("between a save and its report")

    def traced_finish(self, result, student):
        die_at("before its result is filed")
        record = finish(self, result, student)
        leave(self.name, len(result["history"]))
        die_at("before its last report")
        die_at("after its last report", after_s=0.3)
        return record

    folder.write_checkpoint, folder.finish = traced_write, traced_finish


def trace_messages(module):
    channel = module.ReportChannel
    report = channel.report

    def traced_report(self, metrics):
        die_at("in a report", after_s=0.005)
        report(self, metrics)

    channel.report = traced_report


def trace_trainable(module):
    train = module.train

    @functools.wraps(train)  # it travels by its name
    def traced_train(config, given):
        train(config, given)
        die_at("when its trial has ended")

    module.train = traced_train


def trace_reuse(module):
    trainable = module.FunctionTrainable
    reset = trainable.reset

    def traced_reset(self, *args, **kwargs):
        die_at("when it is given its next trial")
        return reset(self, *args, **kwargs)

    trainable.reset = traced_reset


TRACED = {
    "ray.tune.trainable.function_trainable": trace_reuse,
    "trainables.storage.run_store": trace_run_store,
    "trainables.ray_worker.messages": trace_messages,
    "trainables.ray_worker.trainable": trace_trainable,
}


class Finder(MetaPathFinder):
    """Finds the modules that are traced."""

    def find_spec(self, name, path=None, target=None):
        if name not in TRACED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        return ModuleSpec(name, Traced(spec.loader), origin=spec.origin, is_package=False) if spec else None


class Traced(Loader):
    """The module's own loader, and then what traces it."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        if module.__name__ == "trainables.ray_worker.trainable":
            die_at("while it imports")
        self.loader.exec_module(module)
        TRACED[module.__name__](module)


if "SDD_TRACE" in os.environ:
    die_at("spawned")
    sys.meta_path.insert(0, Finder())
