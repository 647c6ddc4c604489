"""What people look at: pictures in web pages, and the report of a trade-off."""
