"""What the model card says of a dataset and of the use of a network, whatever was measured."""

INTENDED = """\
Placing {points} points on a picture of one face, upright to half turned, for teaching, research and tools that need the
shape of a face: alignment, overlays, animation, blurring for privacy. Find the faces first; the framing that it expects
is that of its training frames: the whole head with some space round it.

It says where points are, not who somebody is, nor what they feel or are able to. Do not build decisions about people
on it; the errors below are means over frames, and single points are further off."""

OTHERS_INTENDED = """\
Placing {points} points on a picture of one {thing}, for teaching, research and tools that need its shape. Nothing here
finds {a_thing} in a picture: the search that comes along is for faces, and for models of the 68 points of iBUG alone.
Say where each {thing} is (`keypoints predict --box`), or give pictures of one each, cut out as the training frames are
(`--whole`).

It says where points are, and nothing else; the errors below are means over frames, and single points are further
off."""

REAL = {
    "data": """\
Video frames of the YouTube Faces Database (Wolf, Hassner, Maoz, CVPR 2011) as cut and labelled for the public
repository udacity/P1_Facial_Keypoints.""",
    "limits": """\
- {people} people, all of them public figures in television footage. Age, skin tone, glasses and beards are neither
  balanced nor labelled, so that no error by such group is known.
- The labels were made by a machine, in whole pixels off a coarse grid: no network can be shown to be better than they
  are, and this one has learned their habits.
- The official test {shows}
- Faces are small ({sizes}) and compressed. Profiles,
  covered faces and more than one face in the frame are rare.""",
    "licence": """\
Code and weights: MIT. The frames come from a repository under MIT, but were cut from videos of the YouTube Faces
Database and show real people: look up the terms of that database before any use beyond research, and publish no
frame.""",
}
OTHERS = {
    "limits": """\
- {people} people, videos or what else keeps objects together. Nothing here tells how they are spread over all that
  could be seen: no error by any such group is known.
- Of the measured test frames {known:,} show some of those that also train, {unseen:,} such that the network never saw:
  the row of these is the honest one.
- Objects are small or large as they come ({sizes}).""",
    "licence": """\
Code: MIT. Pictures and labels, and with them what may be done with weights that were trained on them:

{licences}""",
}
SYNTHETIC = {
    "data": "Synthetic faces, made by this project, with exact labels. Nothing measured here holds for photographs.",
    "limits": """\
- {people} people, none of them real: a network trained on them shows that everything works, and is for nothing else.
- Every face is made by the same code, so that the test is far easier than one on photographs would be.
- The test {shows}
- Faces are small ({sizes}).""",
    "licence": "Code, weights and frames: MIT.",
}
