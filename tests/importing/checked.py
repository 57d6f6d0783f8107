from pipeline.datasets.formats.record import Fault
from pipeline.importing.importing import check_labels
from pipeline.importing.request import Request


def faults_of(request: Request) -> list[Fault]:
    """What a dry run tells."""
    faults: list[Fault] = []
    check_labels(request, faults.append)
    return faults
