"""Ansible filter: a password's hash in the format of crypt(3), `$6$`. Run on the controller.

Ansible's own `password_hash` needs a library that not every controller has: Python 3.13 has no
module `crypt`. The algorithm: https://www.akkadia.org/drepper/SHA-crypt.txt
"""

import hashlib

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LEAST_ROUNDS = 1000


def sha512_crypt(password, salt, rounds=_LEAST_ROUNDS):
    """The hash of a password; `salt` has up to 16 characters of crypt(3)'s alphabet.

    The default is the least that crypt(3) allows: more rounds protect passwords that can be
    guessed, and those of phones are random with 190 bits. NGINX computes it at every request.
    """
    salt = salt[:16]
    if not salt or set(salt) - set(_ALPHABET):
        raise ValueError("the salt has 1 to 16 characters of ./0-9A-Za-z")
    digest = _digest(password.encode(), salt.encode(), max(rounds, _LEAST_ROUNDS))
    return f"$6$rounds={max(rounds, _LEAST_ROUNDS)}${salt}${_encoded(digest)}"


def _digest(password, salt, rounds):
    other = hashlib.sha512(password + salt + password).digest()
    first = hashlib.sha512(password + salt + _repeated(other, len(password)))
    length = len(password)
    while length:
        first.update(other if length & 1 else password)
        length >>= 1
    digest = first.digest()
    p_bytes = _repeated(hashlib.sha512(password * len(password)).digest(), len(password))
    s_bytes = _repeated(hashlib.sha512(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(rounds):
        step = hashlib.sha512(p_bytes if number & 1 else digest)
        if number % 3:
            step.update(s_bytes)
        if number % 7:
            step.update(p_bytes)
        step.update(digest if number & 1 else p_bytes)
        digest = step.digest()
    return digest


def _repeated(block, length):
    return (block * (length // len(block) + 1))[:length]


def _encoded(digest):
    """The 64 bytes in crypt(3)'s order, three at a time, as 86 characters."""
    text = ""
    for number in range(21):
        triple = [(number * 22 + shift) % 63 for shift in (0, 21, 42)]
        high, middle, low = (digest[position] for position in triple)
        text += _characters(high << 16 | middle << 8 | low, 4)
    return text + _characters(digest[63], 2)


def _characters(value, count):
    return "".join(_ALPHABET[value >> 6 * place & 63] for place in range(count))


class FilterModule:
    """Entry point for Ansible."""

    def filters(self):
        """The filters by name."""
        return {"sha512_crypt": sha512_crypt}
