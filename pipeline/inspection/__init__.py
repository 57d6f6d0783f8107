"""What a network has learned and where it looks: the sums in three files, the figures and the page that show them."""
