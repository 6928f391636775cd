"""Several processes on the same ports, under a supervisor that replaces what dies and reloads one by one.

The supervisor (`python -m diptych.workers`) imports the standard library and this room only: it must outlive whatever
goes wrong in an application, and costs no application's memory. `member` is the worker's side, and knows a gateway.
"""
