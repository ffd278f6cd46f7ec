"""Tessera's engine: typed nodes, workflows, a content-addressed cache, durable jobs."""
