"""Labels of the same objects written in every format that can be imported, as the tools write them."""

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement

import h5py
import numpy as np

Labels = Mapping[str, np.ndarray]
"""Name of a picture -> (K, 2) points; the centre of the top left pixel is (0, 0)."""
SIDE = 200
"""Of every picture, for the formats that tell it."""


def write_pts(folder: Path, labels: Labels) -> Path:
    for name, points in labels.items():
        rows = "\n".join(f"{x:.4f} {y:.4f}" for x, y in points + 1)
        text = f"version: 1\nn_points:  {len(points)}\n{{\n{rows}\n}}\n"
        (folder / name).with_suffix(".pts").write_text(text)
    return folder


def write_dlib(folder: Path, labels: Labels) -> Path:
    root = Element("dataset")
    images = SubElement(root, "images")
    for name, points in labels.items():
        image = SubElement(images, "image", file=name)
        box = SubElement(image, "box", top="10", left="12", width="150", height="160")
        for number, (x, y) in reversed(list(enumerate(points))):
            SubElement(box, "part", name=f"{number:02}", x=f"{x:.4f}", y=f"{y:.4f}")
    ElementTree(root).write(folder / "labels.xml")
    return folder / "labels.xml"


def write_coco(folder: Path, labels: Labels) -> Path:
    images = [{"id": 7 + place, "file_name": f"images/{name}"} for place, name in enumerate(labels)]
    annotations = [
        {
            "id": place,
            "image_id": 7 + place,
            "bbox": [5, 6, 150, 160],
            "keypoints": np.column_stack([points, np.full(len(points), 2)]).ravel().tolist(),
        }
        for place, points in enumerate(labels.values())
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "keypoints": []}]}
    (folder / "labels.json").write_text(json.dumps(content))
    return folder / "labels.json"


def write_cvat(folder: Path, labels: Labels) -> Path:
    root = Element("annotations")
    for name, points in labels.items():
        image = SubElement(root, "image", name=name, width=str(SIDE), height=str(SIDE))
        places = ";".join(f"{x:.4f},{y:.4f}" for x, y in points + 0.5)
        SubElement(image, "points", label="face", occluded="0", points=places)
    ElementTree(root).write(folder / "labels.xml")
    return folder / "labels.xml"


def write_cvat_skeletons(folder: Path, labels: Labels) -> Path:
    root = Element("annotations")
    for name, points in labels.items():
        skeleton = SubElement(SubElement(root, "image", name=name), "skeleton", label="face")
        for number, (x, y) in reversed(list(enumerate(points + 0.5, start=1))):
            SubElement(skeleton, "points", label=str(number), outside="0", occluded="0", points=f"{x:.4f},{y:.4f}")
    ElementTree(root).write(folder / "labels.xml")
    return folder / "labels.xml"


def write_label_studio(folder: Path, labels: Labels) -> Path:
    tasks = []
    for place, (name, points) in enumerate(labels.items()):
        percent = (points + 0.5) / SIDE * 100
        sides = {"original_width": SIDE, "original_height": SIDE}
        results = [
            {"type": "keypointlabels", "value": {"x": x, "y": y, "keypointlabels": [str(number)]}, **sides}
            for number, (x, y) in enumerate(percent.tolist())
        ]
        upload = f"/data/upload/3/0a1b2c3d-{name}"
        tasks.append({"id": place, "data": {"image": upload}, "annotations": [{"result": results}]})
    (folder / "labels.json").write_text(json.dumps(tasks))
    return folder / "labels.json"


def write_wflw(folder: Path, labels: Labels) -> Path:
    lines = []
    for name, points in labels.items():
        rows = " ".join(f"{value:.6f}" for value in points.ravel())
        lines.append(f"{rows} 10 12 160 170 0 0 1 0 0 1 {name}\n")
    (folder / "list_98pt_rect_attr.txt").write_text("".join(lines))
    return folder / "list_98pt_rect_attr.txt"


def write_helen(folder: Path, labels: Labels) -> Path:
    for place, (name, points) in enumerate(labels.items()):
        rows = "\n".join(f"{x:.5f} , {y:.5f}" for x, y in points)
        (folder / f"{place}.txt").write_text(f"{Path(name).stem}\n{rows}\n")
    return folder


def write_deeplabcut(folder: Path, labels: Labels) -> Path:
    count = len(next(iter(labels.values())))
    with (folder / "CollectedData_me.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["scorer", "", ""] + ["me"] * 2 * count)
        writer.writerow(["bodyparts", "", "", *(part for number in range(count) for part in [f"part{number}"] * 2)])
        writer.writerow(["coords", "", ""] + ["x", "y"] * count)
        writer.writerows(["labeled-data", "video", name, *points.ravel()] for name, points in labels.items())
    return folder / "CollectedData_me.csv"


def write_wide(folder: Path, labels: Labels) -> Path:
    count = len(next(iter(labels.values())))
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", *(f"{axis}{number}" for number in range(count) for axis in "xy")])
        writer.writerows([name, *points.ravel()] for name, points in labels.items())
    return folder / "labels.csv"


def write_long(folder: Path, labels: Labels) -> Path:
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "point", "x", "y"])
        writer.writerows([name, number, *xy] for name, points in labels.items() for number, xy in enumerate(points))
    return folder / "labels.csv"


def write_course(folder: Path, labels: Labels) -> Path:
    count = len(next(iter(labels.values())))
    with (folder / "training_frames_keypoints.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *range(2 * count)])
        writer.writerows([name, *points.ravel()] for name, points in labels.items())
    return folder


def write_cofw(folder: Path, pictures: Mapping[str, np.ndarray], labels: Labels, kind: str = "Tr") -> Path:
    """A file of MATLAB 7.3 with (H, W, 3) uint8 pictures, whose fourth point is occluded."""
    path = folder / f"COFW_{kind}.mat"
    with h5py.File(path, "w") as file:
        rows = []
        references = np.empty((1, len(labels)), h5py.ref_dtype)
        for place, (name, points) in enumerate(labels.items()):
            data = file.create_dataset(f"#refs#/{place}", data=np.transpose(pictures[name], (2, 1, 0)))
            references[0, place] = data.ref
            occluded = np.arange(len(points)) == 3
            rows.append(np.concatenate([points[:, 0] + 1, points[:, 1] + 1, occluded]))
        file.create_dataset(f"Is{kind}", data=references)
        file.create_dataset(f"phis{kind}", data=np.array(rows).T)
        file.create_dataset(f"bboxes{kind}", data=np.array([[10, 12, 150, 160]] * len(labels)).T)
    return path


WRITERS: dict[str, tuple[str, int, Callable[[Path, Labels], Path]]] = {
    "pts": ("pts", 68, write_pts),
    "dlib": ("dlib", 68, write_dlib),
    "coco": ("coco", 68, write_coco),
    "cvat": ("cvat", 68, write_cvat),
    "cvat skeletons": ("cvat", 68, write_cvat_skeletons),
    "label-studio": ("label-studio", 68, write_label_studio),
    "wflw": ("wflw", 98, write_wflw),
    "helen": ("helen", 194, write_helen),
    "deeplabcut": ("deeplabcut", 68, write_deeplabcut),
    "csv wide": ("csv", 68, write_wide),
    "csv long": ("csv", 68, write_long),
    "course": ("course", 68, write_course),
}
"""What is written -> format, number of points, and how."""
