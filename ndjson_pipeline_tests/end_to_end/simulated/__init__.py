"""The whole platform in one process under a simulated clock."""
