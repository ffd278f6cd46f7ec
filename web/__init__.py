"""The engine over HTTP and websockets: routes in, problem documents out, and no torch anywhere."""
