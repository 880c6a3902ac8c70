"""From encoded images to pixels: what is decoded at once and what as it is asked for, and what is known of it."""
