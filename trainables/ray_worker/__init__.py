"""A trial inside a Ray process: the only room of the data plane that imports Ray."""
