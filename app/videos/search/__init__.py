"""Finding films by their words: what is kept, how it is asked, and what a typo was meant to be."""
