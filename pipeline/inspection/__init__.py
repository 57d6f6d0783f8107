"""What a network has learned and where it looks: what is computed, the figures of it, and the page that shows them."""
