"""Work that time asks for: the day close now; jobs and outbox delivery later."""
