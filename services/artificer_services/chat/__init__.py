"""artificer.chat.v1: people talking to each other in channels.

`build` makes the servicer from its settings; every other room is private to this folder.
"""
