"""The compiled needs assessment and a batch of filled ones, made once for all tests of this room."""

import pytest

from tests.unit.xlsforms.reading import filled_batch
from xlsforms.compile import CompiledForm, compile_form
from xlsforms.fill import FilledForm


@pytest.fixture(scope="session")
def compiled() -> CompiledForm:
    """Compile the needs assessment of Nineveh."""
    return compile_form("needs_assessment")


@pytest.fixture(scope="session")
def batch() -> list[FilledForm]:
    """Fill two hundred forms of all profiles."""
    return filled_batch()
