"""The store remembers: all SQL, the migrations, and the embedded PostgreSQL server."""
