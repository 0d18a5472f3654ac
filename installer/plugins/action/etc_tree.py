"""Ansible action: render a role's files on the controller and pass all of them to the module.

The content of /etc/x comes from `templates/etc/x.j2` or `templates/etc/x` of the role, or is
copied from `files/etc/x`. `source` names another file; an absolute path is a file on this
machine, which is copied unchanged. `variables` are for this entry's template alone.
"""

from __future__ import annotations

import base64
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

_KEYS = {"path", "paths", "state", "source", "target", "owner", "group", "mode"}
_KEYS |= {"validate", "secret", "exclusive", "variables"}
_OURS = {"paths", "source", "secret", "variables"}  # keys that are not passed to the module


class ActionModule(ActionBase):
    """Return the module's result for the rendered entries."""

    _VALID_ARGS = frozenset({"entries", "temporary"})
    _requires_connection = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        entries = self._task.args.get("entries")
        if not isinstance(entries, list):
            raise AnsibleActionFail("etc_tree: entries is a list of files, folders and links")
        temporary = self._task.args.get("temporary", False)
        arguments = {"entries": [], "secrets": {}, "temporary": temporary}
        for entry in entries:
            _demand_known(entry)
            for path in entry.get("paths") or [entry.get("path")]:
                self._add(arguments, dict(entry, path=path), task_vars)
        result.update(
            self._execute_module(module_name="etc_tree", module_args=arguments, task_vars=task_vars)
        )
        return result

    def _add(self, arguments, entry, task_vars):
        handed = {key: value for key, value in entry.items() if key not in _OURS}
        if entry.get("state", "file") == "file":
            encoded = base64.b64encode(self._content(entry, task_vars)).decode("ascii")
            if entry.get("secret"):
                arguments["secrets"][entry["path"]] = encoded
            else:
                handed["content"] = encoded
        arguments["entries"].append({k: v for k, v in handed.items() if v is not None})

    def _content(self, entry, task_vars):
        """Return the rendered content of the file, as bytes."""
        inside = entry.get("source") or entry["path"].lstrip("/")
        if Path(inside).is_absolute():
            return _read(inside)
        for name in (f"{inside}.j2", inside):
            template = self._found("templates", name)
            if template is not None:
                return self._rendered(template, dict(task_vars, **entry.get("variables", {})))
        file = self._found("files", inside)
        if file is None:
            raise AnsibleActionFail(
                f"etc_tree: the role has neither templates/{inside}.j2, templates/{inside} "
                f"nor files/{inside}"
            )
        return file.read_bytes()

    def _found(self, folder, name):
        try:
            return Path(self._find_needle(folder, name))
        except AnsibleError:
            return None

    def _rendered(self, template, task_vars):
        """Render with Ansible's lookup, whose interface is the same in every ansible-core."""
        name = "ansible.builtin.template"
        lookup = lookup_loader.get(name, loader=self._loader, templar=self._templar)
        text = lookup.run([str(template)], variables=task_vars)[0]
        return str(text).encode("utf-8")


def _read(path):
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise AnsibleActionFail(f"etc_tree: {path}: {error.strerror}") from error


def _demand_known(entry):
    """Raise AnsibleActionFail for an unknown key, or for an entry without a path."""
    unknown = sorted(set(entry) - _KEYS) if isinstance(entry, dict) else [str(entry)]
    if unknown:
        raise AnsibleActionFail(f"etc_tree: unknown: {', '.join(unknown)}")
    if bool(entry.get("path")) == bool(entry.get("paths")):
        raise AnsibleActionFail("etc_tree: an entry has either path or paths")
