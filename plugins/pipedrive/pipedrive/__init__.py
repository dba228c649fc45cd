"""The parts of the Pipedrive connector."""
