// What the device was asked for. Python reads the array in this order: see counters.py.
#pragma once

enum Counter {
    LAUNCHES,         // kernels put into a stream, one by one
    CAPTURED,         // kernels put into a graph
    GRAPH_LAUNCHES,   // graphs put into a stream
    CAPTURES,         // graphs captured
    TO_DEVICE,        // copies from the host
    ASIDE,            // of these, in a stream other than the default one
    TO_HOST,          // copies to the host
    ON_DEVICE,        // copies within the device
    STREAM_WAITS,     // waits of a stream for what another one has done
    SYNCHRONISATIONS, // waits of the host for the device
    ALLOCATIONS,      // blocks taken of the device's memory
    COUNTERS
};

extern "C" {
void fakecuda_count(Counter which);
void fakecuda_launch(const char* name); // a kernel of whichever library: a launch, or a node of the open graph
}
