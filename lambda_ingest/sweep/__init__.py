"""Parts of the sweep: whatever no event will finish any more."""
