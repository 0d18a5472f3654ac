"""The command line: one file per command, wiring and rendering only."""

import gc
import os

# Before any other import. The objects that imports make stay alive: collecting garbage among them
# takes a tenth of a short command's time. pydantic would search the metadata of every installed
# package for plugins, and none is used.
gc.set_threshold(50_000)
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
