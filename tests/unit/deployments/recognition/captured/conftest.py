"""Where there is no GPU, kernels are interpreted: slowly, but as they are written."""

import importlib.util
import os
from typing import Any

if os.environ.get("TRITON_INTERPRET") and importlib.util.find_spec("triton") is not None:
    from triton.runtime import interpreter

    _patch = interpreter._patch_lang_tensor

    def _patch_for_numpy(tensor: Any, scope: Any) -> None:
        """Bounds of loops are arrays of one number there, which NumPy no longer takes for one."""
        _patch(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = _patch_for_numpy
