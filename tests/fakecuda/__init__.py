"""A CUDA without a device, and the tests of the GPU path that run on it (``device_*.py``)."""
