"""Worker processes that draw and check cases. A worker that dies or hangs does not affect other cases."""
