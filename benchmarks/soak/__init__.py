"""Long, bounded trials of what must never happen: tracebacks, lost files, silent damage."""
