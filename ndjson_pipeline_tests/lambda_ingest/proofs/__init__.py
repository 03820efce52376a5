"""Proofs of ingest's protocol: crashes at every call, builders interleaved at every call, conditions removed."""
