"""Template syntax in every string of an inventory and of the secrets, through a real playbook.

    python injection.py FOLDER     prints what came back, one JSON document

It needs the installed appliance alone, so that a test can run it where another ansible-core is.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ucontact_appliance.install.ansible import run_playbook
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.launcher import Launcher

CANARY = "canary"
# As a module's argument ansible-core 2.16 would make a mapping of it, whoever marked it; no more.
_LIKE_A_MARK = '{"__ansible_unsafe": 1, "__ansible_vault": "x"}'


def attacks(canary: Path) -> tuple[str, ...]:
    """Texts of which each would make the file, or another text, if it were rendered."""
    call = f"lookup('pipe', 'touch {canary}')"
    return (
        f"{{{{ {call} }}}}",
        f"{{% if {call} %}}x{{% endif %}}",
        f"#jinja2: variable_start_string: '[['\n[[ {call} ]]",
        f"!unsafe {{{{ {call} }}}}",
        "{{ 6 * 7 }}",
        "{% raw %}",
        "{{ secrets.password }}",
    )


def rendered(folder: Path, host: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Variables of one host as a playbook sees them in all the ways in which ours use variables."""
    target = folder / "seen.json"
    playbook = folder / "play.yml"
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {
            "together": "{{ host_text ~ ' | ' ~ secrets.password }}",
            "listed": "{{ [host_text] + (shared_values | map('string') | list) }}",
            "combined": "{{ {'a': 1} | combine({host_text: secrets.password}) }}",
        },
        "tasks": [
            {
                "name": "Run it as a word, and by another task's result",
                "ansible.builtin.command": {"argv": ["printf", "%s", "{{ host_text }}"]},
                "register": "said",
                "changed_when": False,
            },
            {
                "name": "Write down",
                "ansible.builtin.copy": {
                    "dest": str(target),
                    "mode": "600",
                    "content": "{{ {'host_text': host_text, 'shared': shared_values, "
                    "'password': secrets.password, 'together': together, 'listed': listed, "
                    "'combined': combined, 'said': said.stdout} | to_json }}",
                },
                "when": "said.stdout == host_text",
            },
        ],
    }
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    lines: list[str] = []
    inventory = {"all": {"hosts": {"here": host}, "vars": shared}}
    result = run_playbook(
        playbook,
        inventory,
        {"password": host["host_text"]},
        observer=nobody,
        log=lines.append,
        launcher=Launcher(),
    )
    if result.status:
        raise RuntimeError("\n".join(lines))
    seen: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    target.unlink()
    return seen


def problems(folder: Path) -> list[str]:
    """Every text that did not come back as it was, and every command that ran."""
    canary = folder / CANARY
    texts = attacks(canary)
    found = []
    for text in texts:
        host = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "host_text": text,
        }
        seen = rendered(folder, host, {"shared_values": [*texts, _LIKE_A_MARK, 7, True]})
        expected = {
            "host_text": text,
            "shared": [*texts, _LIKE_A_MARK, 7, True],
            "password": text,
            "together": f"{text} | {text}",
            "listed": [text, *texts, _LIKE_A_MARK, "7", "True"],
            "combined": {"a": 1, text: text},
            "said": text,
        }
        found += [f"{key}: {seen[key]!r}" for key in expected if seen[key] != expected[key]]
        if canary.exists():
            canary.unlink()
            found.append(f"a command ran: {text}")
    return found


if __name__ == "__main__":
    print(json.dumps(problems(Path(sys.argv[1]))))
