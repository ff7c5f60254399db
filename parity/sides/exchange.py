"""Requests whose arrays lie in files: what either end of such a conversation does."""

from typing import Any

import numpy as np


def answered(server: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Do what a request says; its tables lie in the files that it names."""
    call, source, target = (request.pop(key) for key in ("call", "from", "to"))
    if source is not None:
        with np.load(source, allow_pickle=False) as arrays:
            request["table"] = dict(arrays)
    result = getattr(server, call)(**request)
    if target is not None:
        np.savez(target, **result)
    return {}
