"""Which backbones timm has. Importing it takes seconds, so its source is asked."""

import importlib.util
import re
from pathlib import Path

from metalight.errors import ModelError, name_nearest

_REGISTERED = re.compile(r"@register_model\s+def (\w+)")


def check_backbone_name(name: str) -> None:
    """Refuse the name of a backbone that timm cannot have; whether it suits, `metalight.model` finds out.

    Raises:
        ModelError: There is none; the nearest name is told.
    """
    architecture = name.partition(".")[0]
    source = _read_timm()
    # Old names, which timm still takes, are not registered in this way; but they are words in it.
    if not source or (re.fullmatch(r"\w+", architecture) and re.search(rf"\b{architecture}\b", source)):
        return
    names = sorted(_REGISTERED.findall(source))
    alike = [known for known in names if known.startswith(architecture[:3])]
    hint = name_nearest(architecture, alike or [known for known in names if known.startswith("resnet")])
    raise ModelError(f"[model] backbone: timm has no model '{name}'.{hint}")


def _read_timm() -> str:
    found = importlib.util.find_spec("timm")
    folders = [Path(folder) for folder in found.submodule_search_locations or ()] if found else []
    paths = [path for folder in folders for path in sorted((folder / "models").rglob("*.py"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
