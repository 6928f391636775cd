"""example.notes.v1: a service with a store, as small as one can be."""
