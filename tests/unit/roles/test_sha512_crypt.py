"""The hashes of phones' passwords against those of OpenSSL."""

from __future__ import annotations

import importlib.util
import subprocess
from typing import Any

import pytest

from ucontact_appliance.resources import ROLES


def _filters() -> Any:
    path = ROLES / "web/filter_plugins/sha512_crypt.py"
    spec = importlib.util.spec_from_file_location("sha512_crypt", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FilterModule().filters()


HASH = _filters()["sha512_crypt"]


@pytest.mark.parametrize("password", ["x", "Hello world!", "a" * 63, "b" * 64, "c" * 65, "d" * 200])
@pytest.mark.parametrize("salt", ["a", "805ec0112233", "sixteencharacter"])
def test_as_openssl(password: str, salt: str) -> None:
    words = ["openssl", "passwd", "-6", "-salt", salt, "-stdin"]
    done = subprocess.run(words, input=password, capture_output=True, text=True, check=True)
    plain = HASH(password, salt, 5000)
    assert plain.replace("rounds=5000$", "") == done.stdout.strip()


def test_the_default_is_the_least_rounds() -> None:
    assert HASH("secret", "805ec0112233").startswith("$6$rounds=1000$805ec0112233$")
    assert HASH("secret", "a", 1).startswith("$6$rounds=1000$")


@pytest.mark.parametrize("salt", ["", "a:b", "ñ"])
def test_a_salt_that_crypt_does_not_take_is_refused(salt: str) -> None:
    with pytest.raises(ValueError, match="the salt"):
        HASH("secret", salt)
