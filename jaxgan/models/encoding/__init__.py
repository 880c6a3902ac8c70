"""Networks of games with an encoder."""
