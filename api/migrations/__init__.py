"""Migrations of the database, in order; `api.database.migrate` runs them at start."""
