import pytest

from api.errors import RequestError
from api.negotiation import preferred

OFFERS = ("application/json", "application/fhir+json")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/fhir+json", "application/fhir+json"),
        ("application/fhir+json;fhirVersion=4.0, application/json;q=0.5", "application/fhir+json"),
        ("application/json;q=0.1, application/fhir+json;q=0.2", "application/fhir+json"),
        ("application/json;q=0, */*", "application/fhir+json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("APPLICATION/FHIR+JSON", "application/fhir+json"),
    ],
)
def test_the_form_that_a_client_ranks_highest_is_chosen(accept: str, chosen: str) -> None:
    assert preferred(accept, OFFERS) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*", ";;,", "a;q=x"])
def test_where_none_fits_it_is_an_error_that_names_what_there_is(accept: str) -> None:
    with pytest.raises(RequestError, match=r"application/fhir\+json"):
        preferred(accept, OFFERS)
