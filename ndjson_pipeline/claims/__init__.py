"""What is recorded of manifests as runs claim and end them."""
