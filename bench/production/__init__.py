"""A gateway's behaviour under load: idle connections, floods, stops, reloads and crashes, not its speed."""
