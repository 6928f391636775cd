"""What a gateway does under load that is no benchmark of speed: crowds, floods, stops, reloads, deaths."""
