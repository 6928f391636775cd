"""artificer.chat.v1: the messages of channels, stored and delivered live.

`build` makes the servicer from its settings; every other module is private to this package.
"""
