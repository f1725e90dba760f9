"""Files of plans for tests: written by an explainer, and changed afterwards."""

import json

import safetensors.torch
from safetensors import safe_open

import relprop


def save(model, x, path, recipe="auto"):
    explainer = relprop.Explainer(model, recipe)
    expected = explainer(x, ledger=True)
    explainer.save(path)
    return explainer, expected


def rewrite(path, change):
    with safe_open(path, "pt") as file:
        document = json.loads(file.metadata()["relprop"])
    change(document)
    path.write_bytes(safetensors.torch.save({}, {"relprop": json.dumps(document)}))


def change_node(**changes):
    return lambda document: document["read"][0]["graph"]["nodes"][1].update(changes)


def torch_operation(name, overload="default"):
    namespace, _, name = name.rpartition(".")
    return {"target": ["torch", namespace or "aten", name, overload], "operation": name}


X = {"ref": "linear"}


def call(operation, *args, **kwargs):
    """Changes that make a node call an operation with these arguments."""
    args, kwargs = {"tuple": list(args)}, {"dict": kwargs}
    if "." in operation:
        module, name = operation.split(".")
        return {
            **{"target": ["arithmetic", module, name], "operation": name},
            **{"args": args, "kwargs": kwargs},
        }
    overload = "input" if operation == "lstm" else "default"
    return {**torch_operation(operation, overload), "args": args, "kwargs": kwargs}
