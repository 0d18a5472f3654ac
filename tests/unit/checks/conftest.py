"""What these tests make judges say is said in every language."""

from tests.unit.spanish import said_in_spanish, spanish

__all__ = ["said_in_spanish", "spanish"]
