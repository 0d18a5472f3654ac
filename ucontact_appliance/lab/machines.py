"""Rehearsal machines: create, stop, reset and list them, and freeze layers from them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ucontact_appliance.errors import ApplianceError, UsageError
from ucontact_appliance.lab import images, layout, network
from ucontact_appliance.lab.addresses import free_address, refuse_name_elsewhere, refuse_taken
from ucontact_appliance.lab.boot import boot, create, halt, remove, sync
from ucontact_appliance.lab.commands import require_root, require_tools
from ucontact_appliance.lab.layers import (
    folders_of,
    image_of,
    images_in_use,
    layer_folder,
    layer_folders,
)
from ucontact_appliance.lab.locks import Observer, bridge_lock, lab_lock
from ucontact_appliance.lab.records import (
    Machine,
    MachineSpec,
    address_of,
    existing,
    machine_in,
    machine_names,
    read_spec,
)
from ucontact_appliance.language.messages import _

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")


def up(spec: MachineSpec, on_event: Observer) -> Machine:
    """The machine, created and booted if it is not running; a failed creation is undone.

    A stopped machine (its host was rebooted, it was killed) boots with its own layer, on the image
    that it was created on, at its address. Raises UsageError if a machine of another lab folder
    has taken its address or name meanwhile.
    """
    require_tools()
    _refuse_bad_name(spec.name)
    with lab_lock(on_event):
        folder = layout.machines() / spec.name
        if folder.exists():
            _refuse_other(spec, read_spec(folder))
            machine = machine_in(folder)
            if machine.state == "running":
                told = _(
                    "{machine} is already running at {address}",
                    machine=spec.name,
                    address=machine.address,
                )
                on_event(told)
                return machine
        refuse_name_elsewhere(folder)
        on_event(_("booting {machine} ({suite})", machine=spec.name, suite=spec.suite))
        made = not folder.exists()
        try:
            image = image_of(folder) or images.base_image(spec.suite, on_event)
            layers = layer_folders(image, spec)
            with bridge_lock(on_event):
                network.bring_up()
                # A crash may have happened before the address was written.
                address = address_of(folder)
                if address:
                    refuse_taken(spec.name, address)
                address = address or free_address()
                create(folder, spec, address, image)
                boot(folder, spec, layers, address)
        except BaseException:
            remove(folder) if made else halt(folder)
            _tidy_network(on_event)
            raise
        images.drop_old(spec.suite, images_in_use(), on_event)
        return machine_in(folder)


def spec_for(name: str, suite: str | None = None, ubuntu: str | None = None) -> MachineSpec:
    """The spec to start this machine with: its recorded one, with the given values changed.

    A new machine is sid unless `suite` is given.
    """
    require_root()
    there = read_spec(layout.machines() / name) if name in machine_names() else MachineSpec(name)
    return replace(there, suite=suite or there.suite, ubuntu=ubuntu or there.ubuntu)


def base_image(suite: str, on_event: Observer) -> Path:
    """The base image's folder, for callers that boot it themselves; built if it does not exist.

    Raises UsageError for an unknown suite.
    """
    require_tools()
    with lab_lock(on_event):
        return images.base_image(suite, on_event)


def down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    """Remove these machines; the names of those that were removed.

    With the last machine, the bridge, the nftables rule and the sysctl are removed too.
    """
    require_tools()
    with lab_lock(on_event):
        return _down(names, on_event)


def down_all(on_event: Observer) -> tuple[str, ...]:
    """Remove every machine of this folder and the network; the names of the removed machines."""
    require_tools()
    with lab_lock(on_event):
        return _down(machine_names(), on_event)


def _down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    known = machine_names()
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(
            _("there is no rehearsal machine {unknown!r}", unknown=unknown[0]),
            evidence=_("existing machines: {names}", names=", ".join(known) or _("none")),
            helps="ucontact lab list",
        )
    failures = []
    for name in names:
        on_event(_("removing {machine}", machine=name))
        try:
            remove(layout.machines() / name)
        except ApplianceError as error:  # a failure must not keep the others from being removed
            failures.append(error)
    images.drop_halves()
    _tidy_network(on_event)
    if failures:
        raise failures[0]
    return tuple(names)


def reset(name: str, on_event: Observer) -> Machine:
    """The same machine, fresh: same name, address, suite and layers.

    If it does not boot, it is kept, stopped.
    """
    require_tools()
    with lab_lock(on_event):
        folder = existing(name)
        spec, address = read_spec(folder), address_of(folder)
        # With layers: on the image that they were made on; without: on the newest.
        kept = image_of(folder) if spec.layers else None
        image = kept or images.base_image(spec.suite, on_event)
        layers = layer_folders(image, spec)
        refuse_name_elsewhere(folder)
        on_event(_("resetting {machine}", machine=name))
        with bridge_lock(on_event):
            halt(folder)
            network.bring_up()
            if address:
                refuse_taken(name, address)
            address = address or free_address()
            remove(folder)
            create(folder, spec, address, image)
            try:
                boot(folder, spec, layers, address)
            except BaseException:
                halt(folder)
                raise
        return machine_in(folder)


def freeze(name: str, layer: str, on_event: Observer) -> tuple[str, ...]:
    """Keep the machine's state as a read-only layer for other machines, and remove the machine.

    Returns the `Spec.layers` for such machines: the layers of this machine, and the new one. A
    layer belongs to the image that it was made on. The machine is killed after a sync, as by a
    power cut: stop its services first if that matters.
    """
    require_tools()
    _refuse_bad_name(layer)
    with lab_lock(on_event):
        folder = existing(name)
        if folders_of(layer):
            raise UsageError(_("the layer {layer!r} already exists", layer=layer))
        spec = read_spec(folder)
        image = image_of(folder) or images.base_image(spec.suite, on_event)
        target = layer_folder(image, layer)
        on_event(f"freezing {name} as {layer}")
        sync(folder)
        halt(folder)
        (folder / "upper").rename(target)
        remove(folder)
        _tidy_network(on_event)
    return (*spec.layers, layer)


def settle(name: str, layer: str, on_event: Observer) -> Machine:
    """Keep the machine's state as a layer, and stack the same machine on top of it, stopped.

    From then on `reset` restores that state in a second or two, with the same name and address.
    The machine is ended as by `freeze`; `drop_layer` removes the layer once the machine is down.
    Raises UsageError if a layer of this name exists.
    """
    require_tools()
    _refuse_bad_name(layer)
    with lab_lock(on_event):
        folder = existing(name)
        if folders_of(layer):
            raise UsageError(_("the layer {layer!r} already exists", layer=layer))
        spec, address = read_spec(folder), address_of(folder)
        image = image_of(folder) or images.base_image(spec.suite, on_event)
        on_event(f"settling {name} on {layer}")
        sync(folder)
        halt(folder)
        (folder / "upper").rename(layer_folder(image, layer))
        remove(folder)
        create(folder, replace(spec, layers=(*spec.layers, layer)), address, image)
        return machine_in(folder)


def drop_layer(layer: str, on_event: Observer) -> None:
    """Remove a frozen layer. Raises UsageError while a machine uses it."""
    require_root()
    with lab_lock(on_event):
        for name in machine_names():
            if layer in read_spec(layout.machines() / name).layers:
                raise UsageError(
                    _("the machine {name} uses the layer {layer}", name=name, layer=layer),
                    helps=f"ucontact lab down {name}",
                )
        for folder in folders_of(layer):
            shutil.rmtree(folder)


def listed() -> tuple[Machine, ...]:
    """All machines, by name."""
    require_root()
    return tuple(machine_in(layout.machines() / name) for name in machine_names())


def find(name: str) -> Machine:
    """The machine of this name. Raises UsageError if there is none."""
    require_root()
    return machine_in(existing(name))


def _refuse_bad_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            _("{name!r} is not a valid name", name=name),
            evidence=_("2 to 32 lowercase letters, digits and '-', starting with a letter"),
        )


def _refuse_other(wanted: MachineSpec, there: MachineSpec) -> None:
    if wanted != there:
        raise UsageError(
            _("{name} already exists with other settings", name=wanted.name),
            evidence=_("it is {suite}, Ubuntu {ubuntu}", suite=there.suite, ubuntu=there.ubuntu)
            if there.ubuntu
            else _("it is {suite}", suite=there.suite),
            helps=f"ucontact lab down {wanted.name}",
        )


def _tidy_network(on_event: Observer) -> None:
    if not machine_names():
        with bridge_lock(on_event):
            network.tear_down()
