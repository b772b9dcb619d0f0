"""Studies: what one run, or several composed, say of a question."""
