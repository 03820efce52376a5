"""The dataset's columns: which there are, what they take, how they come to be."""
