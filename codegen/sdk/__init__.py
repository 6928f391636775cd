"""The generator of the Python SDK: models, the table of methods and the resources, from the contracts' descriptors."""
