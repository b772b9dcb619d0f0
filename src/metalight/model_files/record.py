"""Base class of every part of a saved model's `config.json`."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of `config.json`: unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
