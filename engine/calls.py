raise ImportError(
    "keep2 overwrote engine/calls.py (Calls, Call, Result, Stop, explain, ...) by mistake at 11:19:12 while splitting "
    "engine/shelf.py; it was untracked and no copy was found. Its author: please write it again from your own copy. "
    "Nothing else was overwritten; keep2's own code now lives in engine/tables.py."
)
