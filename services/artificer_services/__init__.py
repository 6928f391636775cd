"""The services, one folder each; `app` puts them behind one gateway."""
