"""No user, password or token of the environment or of an address is shown, in whatever words it comes back."""

import pytest

from facial_keypoints.core.addresses import without_credentials
from pipeline.core.redaction import without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://bob:s3cret@host:5000/", "http://host:5000/"),
        ("https://bob@host/x", "https://host/x"),
        ("https://:tok3n@host/x", "https://host/x"),
        ("postgresql+psycopg2://bob:p%40ss@host:5432/runs", "postgresql+psycopg2://host:5432/runs"),
        ("postgresql://host/runs?user=bob&password=s3cret", "postgresql://host/runs"),
        ("sqlite:////my work/it's.db?key=s3cret", "sqlite:////my work/it's.db"),
        ("/my work/what?.zip", "/my work/what?.zip"),
        ("http://bob:p@ss@host/x", "http://host/x"),
        ("http://bob:p/ss@host/x", "http://host/x"),
        ("http://bob:p?s#s@host/x", "http://host/x"),
        ('http://bob:it\'s "p"@host/x', "http://host/x"),
        ("http://bob:12345@host/x", "http://host/x"),
        ("http://host:5000/a@b/c", "http://host:5000/a@b/c"),
        ("http://host/a@b/c", "http://host/a@b/c"),
        ("sqlite:////home/bob/a@b:c/mlflow.db", "sqlite:////home/bob/a@b:c/mlflow.db"),
        ("s3://bucket/key", "s3://bucket/key"),
    ],
)
def test_an_address_is_shown_without_what_lets_one_in(address: str, shown: str) -> None:
    assert without_credentials(address) == shown


@pytest.mark.parametrize(
    "message",
    [
        "API request to http://bob:p%40ss@host:5000/api failed",
        "cannot connect to 'http://bob:p%40ss@host:5000'",
        'FATAL: password authentication failed for user "bob"',
        "Access denied for user 'bob'@'10.0.0.1' (using password: YES)",
        "connection failed: host=h password=p@ss dbname=x",
        "invalid dsn: 'p@ss' is no password",
        "http://host/runs?user=bob&password=p%40ss",
        "got (p%40ss)",
    ],
)
def test_a_message_repeats_no_credentials_of_the_store(message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://bob:p%40ss@host:5000")
    told = without_secrets(message)
    assert not [secret for secret in ("bob", "p@ss", "p%40ss") if secret in told]


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY"])
def test_secrets_that_have_a_variable_of_their_own_are_hidden_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "t0ken\n")
    assert without_secrets("bad header value: 'Bearer t0ken\\n'") == "bad header value: 'Bearer ***\\n'"


def test_secrets_in_the_query_of_the_store_are_hidden_in_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://h/db?user=bob&password=p%2Bq&sslmode=require")
    assert without_secrets("'bob' with p+q: sslmode require") == "'***' with ***: sslmode require"


def test_a_message_without_secrets_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:mlflow2@mlflow:5000")
    message = "MLflow's mlflow.db, at http://host:80/a, has no token, and what is 1=1 (tokens=) to mlflow"
    assert without_secrets(message) == message
