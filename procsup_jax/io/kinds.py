"""The names of what model files are and hold, for flags and settings; imports nothing."""

from __future__ import annotations

from typing import Literal

Kind = Literal["gguf", "hf", "procsup"]
"""Whose files a model is: a GGUF file, a Hugging Face folder, a folder of ours."""

Dtype = Literal["float32", "float16", "bfloat16"]
"""The types that parameters are stored in."""
