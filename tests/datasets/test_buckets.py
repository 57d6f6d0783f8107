"""A bucket as mirror, on a server with the real S3 interface on this machine."""

import boto3
import fsspec
import pytest

from tests.datasets.conftest import Fetching
from tests.datasets.mirrors import FILES, tarred, zipped

# botocore and its companions warn of their own code's future.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def bucket(s3: dict[str, str]) -> "boto3.resources.base.ServiceResource":
    fsspec.get_filesystem_class("s3").clear_instance_cache()  # one remembers the server of the test before
    bucket = boto3.resource("s3").Bucket("frames")
    bucket.create()
    return bucket


def test_a_folder_in_a_bucket_or_all_of_it_is_a_mirror(bucket, fetching: Fetching) -> None:
    for name, content in FILES.items():
        bucket.put_object(Key=f"data/{name}", Body=content)
    for place in ("s3://frames", "s3://frames/data"):
        fetching.choose(place)
        fetching.run()
        assert fetching.raw() == FILES


@pytest.mark.parametrize("name", ["faces.tar.gz", "faces.zip"])
def test_an_archive_in_a_bucket_is_a_mirror(name: str, bucket, fetching: Fetching) -> None:
    bucket.put_object(Key=name, Body=zipped() if "zip" in name else tarred())
    fetching.choose(f"s3://frames/{name}")
    fetching.run()
    assert fetching.raw() == FILES


def test_a_bucket_that_is_not_there_is_one_line(bucket, fetching: Fetching) -> None:
    fetching.choose("s3://elsewhere/faces")
    assert "cannot read KEYPOINTS_MIRROR=s3://elsewhere/faces: " in fetching.failure()
