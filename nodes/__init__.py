"""The nodes that come with Tessera: each a typed function."""
