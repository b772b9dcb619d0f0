"""Base class of all settings: frozen, no unknown keys, strict types."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of one stage: they never change after they are made, and refuse keys that they do not know."""

    # Strict, so that `seed = "3"` or `epochs = 2.5` is an error and not a guess; TOML has types of its own.
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
