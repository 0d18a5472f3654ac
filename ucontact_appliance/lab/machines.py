"""Rehearsal machines: up, down, reset, list, and layers frozen from them."""

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
    Spec,
    address_of,
    existing,
    machine_in,
    machine_names,
    read_spec,
)
from ucontact_appliance.language.messages import _

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")


def up(spec: Spec, on_event: Observer) -> Machine:
    """The machine, made and booted where it isn't yet; what a failure left half is taken back.

    A machine that was stopped (its host was rebooted, it was killed) boots as it was left: its own
    layer, on the image that it was made on, at its address. Raises UsageError when its address or
    its name has been taken meanwhile by a machine of another lab folder.
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
                    "{machine} is up already at {address}",
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
                # A crash may have come before the address was written.
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


def spec_for(name: str, suite: str | None = None, ubuntu: str | None = None) -> Spec:
    """The spec to bring that machine up by: as it was made, where nothing else is asked for.

    A new machine is sid unless `suite` says otherwise.
    """
    require_root()
    there = read_spec(layout.machines() / name) if name in machine_names() else Spec(name)
    return replace(there, suite=suite or there.suite, ubuntu=ubuntu or there.ubuntu)


def base_image(suite: str, on_event: Observer) -> Path:
    """The base image's folder, for somebody who boots it himself; made where it isn't there yet.

    Raises UsageError for an unknown suite.
    """
    require_tools()
    with lab_lock(on_event):
        return images.base_image(suite, on_event)


def down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    """Throw these machines away; the names of those that were.

    With the last machine the bridge, the rule and the sysctl go too.
    """
    require_tools()
    with lab_lock(on_event):
        return _down(names, on_event)


def down_all(on_event: Observer) -> tuple[str, ...]:
    """Throw every machine away, whoever made it, and the network; the names of those that were."""
    require_tools()
    with lab_lock(on_event):
        return _down(machine_names(), on_event)


def _down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    known = machine_names()
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(
            _("there is no rehearsal machine {unknown!r}", unknown=unknown[0]),
            evidence=_("there are: {names}", names=", ".join(known) or _("none")),
            helps="ucontact lab list",
        )
    failures = []
    for name in names:
        on_event(_("removing {machine}", machine=name))
        try:
            remove(layout.machines() / name)
        except ApplianceError as error:  # one that does not go must not keep the others
            failures.append(error)
    images.drop_halves()
    _tidy_network(on_event)
    if failures:
        raise failures[0]
    return tuple(names)


def reset(name: str, on_event: Observer) -> Machine:
    """The same machine, fresh: same name, address, suite and layers.

    Where it does not come up again it stays, stopped.
    """
    require_tools()
    with lab_lock(on_event):
        folder = existing(name)
        spec, address = read_spec(folder), address_of(folder)
        # With layers on the image that they were made on; else on the newest.
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
    """Keep what the machine has become as a read-only layer for others, and throw it away.

    Gives back what `Spec.layers` of another machine has to be: the layers that this machine stood
    on, and the new one. A layer belongs to the image that it was made on. The machine is ended as
    by a power cut after a sync: stop its services first where that matters.
    """
    require_tools()
    _refuse_bad_name(layer)
    with lab_lock(on_event):
        folder = existing(name)
        if folders_of(layer):
            raise UsageError(_("there is a layer {layer!r} already", layer=layer))
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
    """Keep what the machine has become as a layer, and put the same machine on top of it, stopped.

    From then on `reset` gives that state back in a second or two, under the same name and address.
    The machine is ended as `freeze` ends it; `drop_layer` forgets the layer once the machine is
    down. Raises UsageError when there is a layer of that name already.
    """
    require_tools()
    _refuse_bad_name(layer)
    with lab_lock(on_event):
        folder = existing(name)
        if folders_of(layer):
            raise UsageError(_("there is a layer {layer!r} already", layer=layer))
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
    """Forget a frozen layer. Raises UsageError while a machine stands on it."""
    require_root()
    with lab_lock(on_event):
        for name in machine_names():
            if layer in read_spec(layout.machines() / name).layers:
                raise UsageError(
                    _("the machine {name} stands on the layer {layer}", name=name, layer=layer),
                    helps=f"ucontact lab down {name}",
                )
        for folder in folders_of(layer):
            shutil.rmtree(folder)


def listed() -> tuple[Machine, ...]:
    """All machines, by name."""
    require_root()
    return tuple(machine_in(layout.machines() / name) for name in machine_names())


def find(name: str) -> Machine:
    """The machine of that name. Raises UsageError when there is none."""
    require_root()
    return machine_in(existing(name))


def _refuse_bad_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            _("{name!r} is no name for a machine", name=name),
            evidence=_("2 to 32 small letters, digits and '-', a letter first"),
        )


def _refuse_other(wanted: Spec, there: Spec) -> None:
    if wanted != there:
        raise UsageError(
            _("{name} is there already, and is another machine", name=wanted.name),
            evidence=_("it is {suite}, Ubuntu {ubuntu}", suite=there.suite, ubuntu=there.ubuntu)
            if there.ubuntu
            else _("it is {suite}", suite=there.suite),
            helps=f"ucontact lab down {wanted.name}",
        )


def _tidy_network(on_event: Observer) -> None:
    if not machine_names():
        with bridge_lock(on_event):
            network.tear_down()
