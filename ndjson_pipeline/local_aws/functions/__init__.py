"""Lambda, which moto runs in Docker: functions as processes, with what calls them."""
