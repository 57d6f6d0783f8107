"""Where frames come from: the public archive, a mirror of it, or synthetic faces."""
