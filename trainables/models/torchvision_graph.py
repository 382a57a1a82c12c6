"""Finds where a torchvision classifier's map ends and its head begins, from its traced `forward`.

torchvision's networks have no common method for it. Only the outermost `forward` (and the container of the
last linear layer) is traced; every stage stays a module of its own, so it trains as it always does.
"""

from __future__ import annotations

from torch import fx, nn

from trainables.errors import one_line
from trainables.models.names import ModelError

__all__ = ["feature_network", "unfit"]

PASSES = (nn.Dropout, nn.Identity, nn.Flatten, nn.LayerNorm)
"""Modules that may lie between pooling and the linear layer."""

PASSING_CALLS = ("flatten", "reshape", "view", "squeeze", "dropout")
POOLING_CALLS = ("adaptive_avg_pool2d", "mean")


def feature_network(name: str, network: nn.Module) -> tuple[fx.GraphModule, str]:
    """Return `network` cut at its last feature map, and the path of its linear layer.

    The result's `forward` gives what goes into global pooling. It shares its modules with `network`, the
    head's included, under the same keys.
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
    cut = fx.GraphModule(network, graph)
    output = next(node for node in cut.graph.nodes if node.op == "output")
    output.args = (_pooled_node(name, network, output.args[0], linears[-1]),)
    cut.graph.eliminate_dead_code()
    cut.recompile()
    return cut.train(training), linears[-1]


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
    return f"{getattr(node, 'name', node)!r} (token models such as ViT do not fit)"


def unfit(name: str, reason: str) -> ModelError:
    """Return the error for a network that region logits cannot be computed of."""
    return ModelError(
        f"network {name!r} does not end in feature map -> global average pooling -> linear: {reason}"
    )
