"""The release's files."""

from __future__ import annotations

from tests.faults.catalogue.helpers import PROPERTIES, TREE, ids
from tests.faults.model import Fault, Kind

FAULTS = (
    Fault(
        "tree-war-deleted",
        "a war of the release is gone",
        Kind.TREE,
        ids("tree.files"),
        inject=f"rm {TREE}/web/IntegraChannels.war",
        fast=True,
    ),
    Fault(
        "tree-jar-changed",
        "the backend's jar is not the one that was signed",
        Kind.TREE,
        ids("tree.files"),
        inject=f"printf x >> {TREE}/server/IntegraServer.jar",
    ),
    Fault(
        "tree-foreign-file",
        "a file that belongs to no release lies among the portal's pages",
        Kind.TREE,
        ids("tree.files"),
        inject=f"echo hello > {TREE}/web/uContact/hello.html",
    ),
    Fault(
        "tree-owner",
        "the backend's account owns the program that it runs",
        Kind.TREE,
        ids("tree.owners"),
        inject=f"chown integra {TREE}/server/IntegraServer.jar",
    ),
    Fault(
        "tree-mode",
        "everybody may read the backend's settings, with their passwords",
        Kind.TREE,
        ids("tree.owners"),
        inject=f"chmod 0644 {PROPERTIES}",
    ),
    Fault(
        "tree-half-switched",
        "`current` leads to a release that is there by half",
        Kind.TREE,
        ids("tree.release"),
        inject=f"cd {TREE}/releases && cp -a $(readlink -f ../current) half && "
        "rm -r half/web && ln -sfn releases/half ../current",
    ),
    Fault(
        "tree-scripts-lost",
        "the folder for the site's scripts is gone",
        Kind.TREE,
        ids("tree.places"),
        inject=f"rm -r {TREE}/scripts",
    ),
)
