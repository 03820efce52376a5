"""The page of every variable, docs/configuration.md, written from what reads them."""
