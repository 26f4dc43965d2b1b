"""Tools for every room: errors, files, loading, settings, versions, arrays as source. It imports no other room."""
