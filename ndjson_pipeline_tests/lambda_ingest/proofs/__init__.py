"""Proofs of ingest: crashes at every call, builders interleaved at every call, conditions removed."""
