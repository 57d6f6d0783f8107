"""A bucket as mirror, on a server with the real S3 interface on this machine."""

import boto3
import fsspec
import pytest

from pipeline.datasets import bounds
from tests.datasets.test_fetch import FILES, choose, failure, fetched, run, tar_gz, workspace, zipped  # noqa: F401 (fixtures)

# botocore and its companions warn of their own code's future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def bucket(s3: dict[str, str]) -> "boto3.resources.base.ServiceResource":
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # one remembers the server of the test before
    bucket = boto3.resource("s3").Bucket("frames")
    bucket.create()
    return bucket


def test_a_folder_in_a_bucket_is_a_mirror(bucket, choose):  # noqa: F811
    for name, content in FILES.items():
        bucket.put_object(Key=f"faces/data/{name}", Body=content)
    choose("s3://frames/faces")
    run()
    assert fetched() == FILES


@pytest.mark.slow
def test_an_archive_in_a_bucket_is_a_mirror(bucket, choose):  # noqa: F811
    bucket.put_object(Key="faces.tar.gz", Body=tar_gz())
    choose("s3://frames/faces.tar.gz")
    run()
    assert fetched() == FILES


def test_an_extra_file_in_a_bucket_is_named(bucket, choose):  # noqa: F811
    for name, content in {**FILES, "test/extra.jpg": b"extra"}.items():
        bucket.put_object(Key=name, Body=content)
    choose("s3://frames")
    assert "test/extra.jpg among the data" in failure()


def test_a_bucket_that_is_not_there_is_one_line(bucket, choose):  # noqa: F811
    choose("s3://elsewhere/faces")
    assert "s3://elsewhere/faces" in failure()


def test_an_archive_in_a_bucket_is_read_at_random_from_a_copy(bucket, choose):  # noqa: F811
    bucket.put_object(Key="faces.zip", Body=zipped())
    choose("s3://frames/faces.zip")
    run()
    assert fetched() == FILES


def test_a_bucket_of_more_files_than_any_dataset_is_not_listed_to_its_end(bucket, choose, monkeypatch):  # noqa: F811
    monkeypatch.setattr(bounds, "MAX_MEMBERS", 10)
    for number in range(40):
        bucket.put_object(Key=f"faces/extra{number}", Body=b"")
    for name, content in FILES.items():
        bucket.put_object(Key=f"faces/{name}", Body=content)
    choose("s3://frames/faces")
    assert "more than 10 files" in failure()
