"""Finds where a torchvision classifier's map, or tokens, end and its head begins, from its traced `forward`.

torchvision's networks have no common method for it. Only the outermost `forward` (and the container of the
last linear layer) is traced; every stage stays a module of its own, so it trains as it always does.
"""

from __future__ import annotations

import copy

from torch import fx, nn

from trainables.errors import one_line
from trainables.models.head_form import unfit
from trainables.models.names import ModelError

__all__ = ["cut_at_pooling"]

PASSES = (nn.Dropout, nn.Identity, nn.Flatten, nn.LayerNorm)
"""Modules that may lie between pooling and the linear layer."""

PASSING_CALLS = ("flatten", "reshape", "view", "squeeze", "dropout")
POOLING_CALLS = ("adaptive_avg_pool2d", "mean", "getitem")
"""What makes one vector of a map, or takes the class token out of several."""


def cut_at_pooling(name: str, network: nn.Module) -> tuple[fx.GraphModule, fx.GraphModule, str]:
    """Cut `network` where its last map, or tokens, go into pooling; return both parts, and the linear's path.

    The first maps images to what is pooled. It shares its modules with `network`, the second part's included,
    under the same keys. The second maps what is pooled to logits.
    """
    linears = [path for path, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linears:
        raise unfit(name, "it has no linear layer")
    training = network.training
    try:
        graph = _OutermostTracer(linears[-1]).trace(network.eval())
    except Exception as error:
        raise ModelError(f"network {name!r} cannot be traced: {one_line(error, part='first')}") from None
    finally:
        network.train(training)
    pooled = _pooled_node(name, network, _output(graph).args[0], linears[-1]).name
    body, head = fx.GraphModule(network, copy.deepcopy(graph)), copy.deepcopy(graph)
    _output(body.graph).args = (_named(body.graph, pooled),)
    taken = _named(head, pooled)
    with head.inserting_before(taken):
        taken.replace_all_uses_with(head.placeholder("features"))
    for each in (body.graph, head):
        _keep_what_is_used(each)
    body.recompile()
    return body.train(training), fx.GraphModule(network, head).train(training), linears[-1]


def _output(graph: fx.Graph) -> fx.Node:
    node: fx.Node = next(node for node in graph.nodes if node.op == "output")
    return node


def _named(graph: fx.Graph, name: str) -> fx.Node:
    node: fx.Node = next(node for node in graph.nodes if node.name == name)
    return node


def _keep_what_is_used(graph: fx.Graph) -> None:
    """Erase what the output does not depend on, checks of an image's size and unused arguments among it."""
    for node in reversed(graph.nodes):
        if node.op != "output" and not node.users:
            graph.erase_node(node)


class _OutermostTracer(fx.Tracer):
    def __init__(self, linear: str) -> None:
        super().__init__()
        self.linear = linear

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not (isinstance(m, nn.Sequential) and self.linear.startswith(module_qualified_name + "."))


def _pooled_node(name: str, network: nn.Module, last: object, linear: str) -> fx.Node:
    """Find the node whose value global pooling takes in, walking back from the output."""
    if not (isinstance(last, fx.Node) and last.op == "call_module" and last.target == linear):
        raise unfit(name, f"its output comes from {_described(network, last)}, not from a linear layer")
    node: object = last.args[0]
    while isinstance(node, fx.Node):
        module = network.get_submodule(str(node.target)) if node.op == "call_module" else None
        call = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
        called = call if node.op in ("call_function", "call_method") else ""
        if called in POOLING_CALLS or isinstance(module, nn.AdaptiveAvgPool2d):
            source = node.args[0]
            assert isinstance(source, fx.Node)
            return source
        if called not in PASSING_CALLS and not isinstance(module, PASSES):
            break
        node = node.args[0]
    raise unfit(name, f"its linear layer reads the output of {_described(network, node)}, not a pooled map")


def _described(network: nn.Module, node: object) -> str:
    if isinstance(node, fx.Node) and node.op == "call_module":
        return f"{type(network.get_submodule(str(node.target))).__name__} {node.target!r}"
    return repr(getattr(node, "name", node))
