"""The machines of the end-to-end tests."""

from tests.e2e.conftest import machine_factory, pytest_collection_modifyitems

__all__ = ["machine_factory", "pytest_collection_modifyitems"]
