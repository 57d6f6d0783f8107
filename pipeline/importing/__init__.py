"""Make a dataset of this project out of pictures and labels in any format."""
