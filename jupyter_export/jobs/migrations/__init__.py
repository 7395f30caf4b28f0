"""Alembic's scripts for the job store; ``upgrade`` in ``migrate`` runs them."""
