"""The command line: one file a command, wiring and rendering only."""

import gc
import os

# Before anything else is imported. What modules make stays: to look for garbage among it takes a
# tenth of a short command's time. And no plugin of pydantic's is wanted, which it would look for in
# the metadata of every installed package.
gc.set_threshold(50_000)
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
