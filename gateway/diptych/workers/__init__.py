"""Several processes on the same ports, under a supervisor that replaces dead ones and reloads them one by one.

The supervisor (`python -m diptych.workers`) imports only the standard library and this package: it must survive faults
of the application, and does not need its memory. `worker` is the worker's side, and knows a gateway.
"""
