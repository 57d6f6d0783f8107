"""Where frames come from: a public archive or a mirror of it, an imported dataset, or synthetic faces."""
