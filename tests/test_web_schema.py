"""What the OpenAPI description says is what the service does, whatever is sent: no fault, no answer outside it."""

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from webservice import QUARTZ, listening

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
"""Of schemathesis. Its others judge what is invalid by the description alone, and inscape refuses more than that."""


@pytest.fixture(scope="module")
def schema(model):
    """The description of a service that listens, in which there is one result."""
    with listening(model) as address:
        request = {"structure": {"text": QUARTZ}, "kinds": ["dos"], "de": 5.0}
        assert httpx2.post(f"{address}/api/v1/predict", json=request, timeout=60).status_code == 200
        yield schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")


described = schemathesis.pytest.from_fixture("schema")


@described.parametrize()
@settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_nothing_that_is_sent_leaves_the_description(case):
    case.call_and_validate(checks=CHECKS)
