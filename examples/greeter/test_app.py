from app import create
from fastapi.testclient import TestClient

from diptych import Settings


def test_greet() -> None:
    with TestClient(create(Settings()).app) as client:
        answer = client.get("/v1/greetings/Ada", params={"salutation": "Good morning"})
    assert answer.status_code == 200
    assert answer.json() == {"text": "Good morning, Ada!"}


def test_unknown_name_is_not_found() -> None:
    with TestClient(create(Settings()).app) as client:
        answer = client.get("/v1/greetings/unknown")
    assert answer.status_code == 404
    assert answer.json()["error"]["status"] == "NOT_FOUND"
