"""The services, a folder each; `app` puts them behind one gateway."""
