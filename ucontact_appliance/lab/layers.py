"""The images and frozen layers that rehearsal machines are mounted on."""

from __future__ import annotations

from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import MachineSpec, machine_names
from ucontact_appliance.language.messages import _


def image_of(folder: Path) -> Path | None:
    """The image that the machine was created on; None if that is not recorded (yet).

    A machine's own layer must not be mounted on any other image.
    """
    try:
        name = (folder / "image").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    image = layout.images() / name
    if not image.is_dir():
        raise UsageError(
            _("the base image of {name} no longer exists", name=folder.name),
            evidence=str(image),
            helps=f"ucontact lab down {folder.name}",
        )
    return image


def images_in_use() -> set[str]:
    """The names of the images that machines use."""
    files = (layout.machines() / name / "image" for name in machine_names())
    return {file.read_text(encoding="utf-8").strip() for file in files if file.exists()}


def layer_folder(image: Path, layer: str) -> Path:
    """The folder of a layer on an image."""
    return layout.images() / f"{image.name}+{layer}"


def folders_of(layer: str) -> list[Path]:
    """The layer's folder on each image that it was frozen on."""
    return list(layout.images().glob(f"*+{layer}"))


def layer_folders(image: Path, spec: MachineSpec) -> list[Path]:
    """The lower layers of the machine, uppermost first, as overlayfs expects them."""
    for layer in spec.layers:
        if not layer_folder(image, layer).is_dir():
            there = ", ".join(path.name for path in folders_of(layer)) or _("no layer of that name")
            raise UsageError(
                _("there is no layer {layer!r} on the image {name}", layer=layer, name=image.name),
                evidence=there,
            )
    return [*(layer_folder(image, layer) for layer in reversed(spec.layers)), image]
