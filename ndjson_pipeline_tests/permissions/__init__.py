"""What each component asks of AWS, seen while the tests run, and what IAM wants for it."""
