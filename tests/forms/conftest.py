"""The compiled needs assessment of every governorate and a batch of filled ones, made once for this room."""

import pytest

from governorates import available
from tests.unit.xlsforms.reading import filled_batch
from xlsforms.compile import CompiledForm, compile_form
from xlsforms.fill import FilledForm


@pytest.fixture(scope="session", params=available())
def compiled(request: pytest.FixtureRequest) -> CompiledForm:
    """Compile the needs assessment of one governorate after another."""
    return compile_form("needs_assessment", request.param)


@pytest.fixture(scope="session")
def batch(compiled: CompiledForm) -> list[FilledForm]:
    """Fill two hundred forms of all profiles."""
    return filled_batch(compiled.governorate_code)
