"""`ucontact release`: build the evaluation release, verify one, list what is stored here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import err, out, show_json, show_text, table, translated
from ucontact_appliance.cli.options import JsonOption, require_root
from ucontact_appliance.language.messages import _, verbatim
from ucontact_appliance.release.manifest import ReleaseManifest
from ucontact_appliance.release.store import (
    StoredRelease,
    ensure_evaluation,
    releases_folder,
    stored_releases,
    verify_release,
)
from ucontact_appliance.release.trust import TrustedBy, build_key_pem, load_trust, trusted_by
from ucontact_appliance.site.files import write_atomic

app = typer.Typer(
    add_completion=False,
    help="""Manage release archives.

    Examples:

      ucontact release list

      ucontact release verify release.tar.gz
    """,
    no_args_is_help=True,
)
_KB = 1000
_TRUST = {
    TrustedBy.PUBLISHER: _("signed by a publisher whose key is in publishers.d"),
    TrustedBy.SHIPPED: _("the release included in this installation of ucontact"),
    TrustedBy.THIS_MACHINE: _("built and signed on this machine"),
    TrustedBy.BUILDER: _("signed by a builder whose key is in builders.d"),
}


@app.command("build-evaluation")
def build_evaluation(as_json: JsonOption = False) -> None:
    """Build the evaluation release on a rehearsal machine, unless it is already stored.

    Examples:

      ucontact release build-evaluation

      ucontact release build-evaluation --json
    """
    require_root()
    release = ensure_evaluation(lambda text: err.print(escape(translated(text)), highlight=False))
    if as_json:
        show_json({"archive": str(release.archive), "sha256": release.sha256})
        return
    told = f"[green]{translated(_('ready'))}[/] {escape(str(release.archive))}"
    out.print(told, highlight=False, soft_wrap=True)


@app.command()
def verify(
    path: Annotated[Path, typer.Argument(help="The archive or the folder of a release.")],
    as_json: JsonOption = False,
) -> None:
    """Verify every file of a release, and show why it is trusted.

    Examples:

      ucontact release verify release.tar.gz

      ucontact release verify FOLDER --json
    """
    manifest = verify_release(path)
    trusted = trusted_by(manifest, load_trust())
    assert trusted is not None  # verified means trusted
    if as_json:
        show_json({**_row(manifest), "trusted_by": trusted.name.lower()})
        return
    title = verbatim(manifest.title)
    if manifest.evaluation:
        title = _("{title} (evaluation)", title=title)
    told = _(
        "{title}: {count} files, {trust}",
        title=title,
        count=len(manifest.files),
        trust=_TRUST[trusted],
    )
    shown = f"[green]{translated(_('verified'))}[/] {escape(translated(told))}"
    out.print(shown, highlight=False, soft_wrap=True)


@app.command()
def key(
    target: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the key to this file. Default: print it."
        ),
    ] = None,
) -> None:
    """Export the public key of the evaluation releases that this machine builds.

    Examples:

      ucontact release key

      ucontact release key --out release.pem
    """
    require_root()
    public = build_key_pem()
    if target is None:
        show_text(public.decode(), newline=False)
    else:
        write_atomic(target, public)


@app.command("list")
def list_releases(as_json: JsonOption = False) -> None:
    """List the releases that are stored on this machine or shipped with `ucontact`.

    Examples:

      ucontact release list

      ucontact release list --json
    """
    require_root()
    stored = stored_releases()
    if as_json:
        show_json([{**_stored_row(one), "archive": str(one.archive)} for one in stored])
        return
    if not stored:
        told = _("no release in {folder}", folder=releases_folder())
        err.print(escape(translated(told)), highlight=False)
        return
    shown = table(_("name"), _("version"), _("evaluation"), _("files"), "kB", _("archive"))
    for one in stored:
        if one.manifest is None:
            shown.add_row("?", "", "", "", "", escape(str(one.archive)))
            continue
        row = _row(one.manifest)
        yes = translated(_("yes") if row["evaluation"] else _("no"))
        size = str(round(row["bytes"] / _KB))
        cells = (row["name"], row["version"], yes, str(row["files"]), size, str(one.archive))
        shown.add_row(*map(escape, cells))
    out.print(shown)
    for one in stored:
        if one.problem:
            told = _("the next installation with it rewrites its manifest")
            err.print(
                f"{escape(translated(one.problem))}\n  {translated(told)}",
                highlight=False,
                soft_wrap=True,
            )


def _stored_row(one: StoredRelease) -> dict[str, Any]:
    return _row(one.manifest) if one.manifest else {"problem": one.problem}


def _row(manifest: ReleaseManifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "evaluation": manifest.evaluation,
        "files": len(manifest.files),
        "bytes": manifest.total_bytes,
    }
