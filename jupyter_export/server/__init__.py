"""The Jupyter server extension: REST routes, events and kernel tokens around the job service."""
