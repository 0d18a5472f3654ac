"""The backend."""

from __future__ import annotations

from tests.faults.catalogue.helpers import PROPERTIES, RESTART_BACKEND, edit, ids
from tests.faults.model import Fault, Kind

FAULTS = (
    Fault(
        "backend-heap",
        "Java was given another heap than the plan's",
        Kind.BACKEND,
        ids("backend.heap"),
        inject=edit(
            "/etc/systemd/system/integraserver.service",
            "s/-Xmx[0-9]+m/-Xmx100m/",
            f"systemctl daemon-reload && {RESTART_BACKEND}",
        ),
    ),
    Fault(
        "backend-password",
        "the backend's password for the database is wrong",
        Kind.BACKEND,
        ids("backend.schemas"),
        inject=edit(PROPERTIES, "s/^db.password=.*/db.password=wrong/", RESTART_BACKEND),
    ),
    Fault(
        "backend-port",
        "the backend listens on another port than the one that it is looked for at",
        Kind.BACKEND,
        ids("ports.backend"),
        inject=edit(
            PROPERTIES,
            "s/^listen.port=.*/listen.port=8085/",
            "systemctl restart integraserver && sleep 4",
        ),
    ),
    Fault(
        "backend-wrong-settings",
        "the backend's settings are no settings, and it does not start",
        Kind.BACKEND,
        ids("backend.service"),
        inject=edit(
            PROPERTIES,
            "s/^listen.port=.*/listen.port=none/",
            "systemctl restart integraserver; sleep 3",
        ),
        also={"system.units": "its unit has failed"},
    ),
)
