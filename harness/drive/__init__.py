"""The drive: the process that hosts the SDK client, performs operations and records them."""
