"""What the local AWS keeps on disk, so that its next start goes on where this one ended.

moto has everything in memory. After each request that changed something, and before its answer, what changed
is written: rows of JSON into an SQLite file, contents of objects into files beside it. So what a client was
answered is there again after any end of the process.
"""
