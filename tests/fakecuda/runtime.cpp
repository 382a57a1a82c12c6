// A CUDA runtime without a device, preloaded before libcudart.
//
// Device memory is memory of this process, copies copy, kernels do nothing and are counted, streams and events
// are handles, an open capture counts what is put into it. Numbers are those that memory happens to hold.
#include <cuda_runtime_api.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "counters.h"
#undef cudaGetDeviceProperties

namespace {

std::atomic<long> counters[COUNTERS];
std::mutex mutex;
std::unordered_map<const void*, std::string>& kernel_names() {
    static auto* names = new std::unordered_map<const void*, std::string>;
    return *names;
}

long setting(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atol(text) : otherwise;
}

size_t total_memory() { return size_t(setting("FAKECUDA_GB", 80)) << 30; }
int capability() { return int(setting("FAKECUDA_CAPABILITY", 90)); }
int multiprocessors() { return int(setting("FAKECUDA_MULTIPROCESSORS", 132)); }
const char* device_name() {
    const char* name = std::getenv("FAKECUDA_NAME");
    return name ? name : "NVIDIA H100 80GB HBM3";
}

// Handles that nobody looks into.
void* handle() {
    static std::atomic<unsigned long> last{0x10000};
    return reinterpret_cast<void*>(last += 64);
}

// Blocks of memory by address: of the device, or pinned ones of the host.
class Blocks {
public:
    void* take(size_t size) {
        size = size ? size : 1;
        void* start = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED) return nullptr;
        std::lock_guard<std::mutex> lock(mutex);
        sizes_[static_cast<char*>(start)] = size;
        used_ += size;
        return start;
    }
    void drop(void* start) {
        std::lock_guard<std::mutex> lock(mutex);
        auto found = sizes_.find(static_cast<char*>(start));
        if (found == sizes_.end()) return;
        munmap(start, found->second);
        used_ -= found->second;
        sizes_.erase(found);
    }
    bool holds(const void* address) {
        std::lock_guard<std::mutex> lock(mutex);
        auto* byte = static_cast<const char*>(address);
        auto next = sizes_.upper_bound(const_cast<char*>(byte));
        if (next == sizes_.begin()) return false;
        --next;
        return byte < next->first + next->second;
    }
    size_t used() const { return used_; }

private:
    std::map<char*, size_t> sizes_;
    size_t used_ = 0;
};

Blocks& device_memory() { static auto* blocks = new Blocks; return *blocks; }
Blocks& pinned_memory() { static auto* blocks = new Blocks; return *blocks; }

// The open capture, if any.
std::atomic<bool> capturing{false};
cudaStream_t capturing_stream = nullptr;
unsigned long long capture_number = 0;
std::atomic<bool> refuse_capture{false};

thread_local int current_device = 0;

cudaError_t allocate(void** start, size_t size) {
    if (device_memory().used() + size > total_memory()) return cudaErrorMemoryAllocation;
    fakecuda_count(ALLOCATIONS);
    *start = device_memory().take(size);
    return *start ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t copy(void* to, const void* from, size_t size) {
    bool to_device = device_memory().holds(to), from_device = device_memory().holds(from);
    if (to_device && from_device) fakecuda_count(ON_DEVICE);
    else if (to_device) fakecuda_count(TO_DEVICE);
    else if (from_device) fakecuda_count(TO_HOST);
    if (!capturing || !to_device) std::memmove(to, from, size);
    return cudaSuccess;
}

cudaError_t synchronise() {
    fakecuda_count(SYNCHRONISATIONS);
    return capturing ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

// Kernel launches of the <<<...>>> kind push their configuration and pop it.
struct Configuration { dim3 grid, block; size_t shared; void* stream; };
thread_local std::vector<Configuration> configurations;

cudaError_t launch(const void* kernel) {
    auto found = kernel_names().find(kernel);
    fakecuda_launch(found == kernel_names().end() ? "kernel" : found->second.c_str());
    return cudaSuccess;
}

} // namespace

extern "C" {

void fakecuda_count(Counter which) { ++counters[which]; }
void fakecuda_launch(const char*) { ++counters[capturing ? CAPTURED : LAUNCHES]; }
void fakecuda_read(long* into) { for (int which = 0; which < COUNTERS; which++) into[which] = counters[which]; }
long fakecuda_memory() { return long(device_memory().used()); }
void fakecuda_refuse_capture(int refused) { refuse_capture = refused; }

// --- kernels as the compiler registers and launches them
void** __cudaRegisterFatBinary(void*) { static void* binary; return &binary; }
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*, int*) {
    std::lock_guard<std::mutex> lock(mutex);
    kernel_names()[host] = name;
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared, struct CUstream_st* stream) {
    configurations.push_back({grid, block, shared, stream});
    return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared, void* stream) {
    Configuration last = configurations.back();
    configurations.pop_back();
    *grid = last.grid, *block = last.block, *shared = last.shared, *static_cast<void**>(stream) = last.stream;
    return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* host) { *kernel = cudaKernel_t(host); return cudaSuccess; }
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3, dim3, void**, size_t, cudaStream_t) { return launch(kernel); }
cudaError_t cudaLaunchKernel(const void* kernel, dim3, dim3, void**, size_t, cudaStream_t) { return launch(kernel); }
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void* kernel, void**) { return launch(kernel); }
cudaError_t cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* data) { function(data); return cudaSuccess; }
cudaError_t cudaStreamAddCallback(cudaStream_t stream, cudaStreamCallback_t call, void* data, unsigned) {
    call(stream, cudaSuccess, data);
    return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
    std::memset(attributes, 0, sizeof *attributes);
    attributes->maxThreadsPerBlock = 1024, attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = capability();
    attributes->maxDynamicSharedSizeBytes = 232448;
    return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int, size_t) { *blocks = 4; return cudaSuccess; }
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*, int, size_t, unsigned) { *blocks = 4; return cudaSuccess; }

// --- devices
cudaError_t cudaGetDeviceCount(int* count) { *count = int(setting("FAKECUDA_DEVICES", 1)); return cudaSuccess; }
cudaError_t cudaGetDevice(int* device) { *device = current_device; return cudaSuccess; }
cudaError_t cudaSetDevice(int device) { current_device = device; return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* version) { *version = 13020; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* version) { *version = 13020; return cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* device, int) {
    std::memset(device, 0, sizeof *device);
    std::strncpy(device->name, device_name(), sizeof device->name - 1);
    device->totalGlobalMem = total_memory();
    device->major = capability() / 10, device->minor = capability() % 10;
    device->multiProcessorCount = multiprocessors();
    device->warpSize = 32, device->maxThreadsPerBlock = 1024, device->maxThreadsPerMultiProcessor = 2048;
    device->maxThreadsDim[0] = device->maxThreadsDim[1] = 1024, device->maxThreadsDim[2] = 64;
    device->maxGridSize[0] = 2147483647, device->maxGridSize[1] = device->maxGridSize[2] = 65535;
    device->sharedMemPerBlock = 49152, device->sharedMemPerBlockOptin = 232448, device->sharedMemPerMultiprocessor = 233472;
    device->regsPerBlock = device->regsPerMultiprocessor = 65536;
    device->l2CacheSize = 50 << 20, device->memoryBusWidth = 5120, device->textureAlignment = 512;
    device->memPitch = 2147483647, device->unifiedAddressing = device->managedMemory = device->concurrentKernels = 1;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, enum cudaDeviceAttr attribute, int number) {
    cudaDeviceProp device;
    cudaGetDeviceProperties(&device, number);
    switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor: *value = device.major; break;
    case cudaDevAttrComputeCapabilityMinor: *value = device.minor; break;
    case cudaDevAttrMultiProcessorCount: *value = device.multiProcessorCount; break;
    case cudaDevAttrMaxThreadsPerBlock: *value = device.maxThreadsPerBlock; break;
    case cudaDevAttrMaxThreadsPerMultiProcessor: *value = device.maxThreadsPerMultiProcessor; break;
    case cudaDevAttrWarpSize: *value = device.warpSize; break;
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = int(device.sharedMemPerBlock); break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = int(device.sharedMemPerBlockOptin); break;
    case cudaDevAttrMaxRegistersPerBlock: *value = device.regsPerBlock; break;
    case cudaDevAttrMaxGridDimX: *value = device.maxGridSize[0]; break;
    case cudaDevAttrClockRate: *value = 1980000; break;
    case cudaDevAttrMemoryClockRate: *value = 2619000; break;
    case cudaDevAttrGlobalMemoryBusWidth: *value = device.memoryBusWidth; break;
    default: *value = 0;
    }
    return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* text, int size, int) { std::strncpy(text, "0000:01:00.0", size_t(size)); return cudaSuccess; }
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) { *least = 0, *greatest = -5; return cudaSuccess; }
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { *can = 0; return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { return synchronise(); }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) { *total = total_memory(), *free = *total - device_memory().used(); return cudaSuccess; }
const char* cudaGetErrorString(cudaError_t error) { return error == cudaSuccess ? "no error" : "fakecuda: an error"; }
const char* cudaGetErrorName(cudaError_t error) { return cudaGetErrorString(error); }

// --- memory
cudaError_t cudaMalloc(void** start, size_t size) { return allocate(start, size); }
cudaError_t cudaMallocManaged(void** start, size_t size, unsigned) { return allocate(start, size); }
cudaError_t cudaMallocAsync(void** start, size_t size, cudaStream_t) { return allocate(start, size); }
cudaError_t cudaFree(void* start) { device_memory().drop(start); return cudaSuccess; }
cudaError_t cudaFreeAsync(void* start, cudaStream_t) { return cudaFree(start); }
cudaError_t cudaHostAlloc(void** start, size_t size, unsigned) { *start = pinned_memory().take(size); return cudaSuccess; }
cudaError_t cudaMallocHost(void** start, size_t size) { return cudaHostAlloc(start, size, 0); }
cudaError_t cudaFreeHost(void* start) { pinned_memory().drop(start); return cudaSuccess; }
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
    std::memset(attributes, 0, sizeof *attributes);
    attributes->device = current_device;
    bool on_device = device_memory().holds(address), pinned = !on_device && pinned_memory().holds(address);
    attributes->type = on_device ? cudaMemoryTypeDevice : pinned ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
    if (on_device || pinned) attributes->devicePointer = const_cast<void*>(address);
    if (pinned) attributes->hostPointer = const_cast<void*>(address);
    return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t size, enum cudaMemcpyKind) { return copy(to, from, size); }
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, enum cudaMemcpyKind, cudaStream_t stream) {
    if (stream && device_memory().holds(to) && !device_memory().holds(from)) fakecuda_count(ASIDE);
    return copy(to, from, size);
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t size, cudaStream_t) { return copy(to, from, size); }
cudaError_t cudaMemset(void* start, int value, size_t size) { std::memset(start, value, size); return cudaSuccess; }
cudaError_t cudaMemsetAsync(void* start, int value, size_t size, cudaStream_t) { return capturing ? cudaSuccess : cudaMemset(start, value, size); }

// --- streams and events
cudaError_t cudaStreamCreate(cudaStream_t* stream) { *stream = cudaStream_t(handle()); return cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { fakecuda_count(STREAM_WAITS); return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return synchronise(); }
cudaError_t cudaStreamGetPriority(cudaStream_t, int* priority) { *priority = 0; return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* event) { *event = cudaEvent_t(new timespec{}); return cudaSuccess; }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) { return cudaEventCreate(event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { delete reinterpret_cast<timespec*>(event); return cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) { clock_gettime(CLOCK_MONOTONIC, reinterpret_cast<timespec*>(event)); return cudaSuccess; }
cudaError_t cudaEventRecordWithFlags(cudaEvent_t event, cudaStream_t stream, unsigned) { return cudaEventRecord(event, stream); }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return synchronise(); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t began, cudaEvent_t ended) {
    auto *first = reinterpret_cast<timespec*>(began), *last = reinterpret_cast<timespec*>(ended);
    *milliseconds = float(1e3 * double(last->tv_sec - first->tv_sec) + 1e-6 * double(last->tv_nsec - first->tv_nsec));
    return cudaSuccess;
}

// --- graphs
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode) {
    if (refuse_capture) return cudaErrorStreamCaptureUnsupported;
    capturing_stream = stream, capture_number++, capturing = true;
    fakecuda_count(CAPTURES);
    return cudaSuccess;
}
cudaError_t cudaStreamBeginCaptureToGraph(cudaStream_t stream, cudaGraph_t, const cudaGraphNode_t*, const cudaGraphEdgeData*, size_t, enum cudaStreamCaptureMode mode) { return cudaStreamBeginCapture(stream, mode); }
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) { capturing = false, *graph = cudaGraph_t(handle()); return cudaSuccess; }
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus* status) {
    *status = capturing && stream == capturing_stream ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
    return cudaSuccess;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus* status, unsigned long long* number, cudaGraph_t* graph, const cudaGraphNode_t** nodes, const cudaGraphEdgeData** edges, size_t* count) {
    cudaStreamIsCapturing(stream, status);
    if (number) *number = capture_number;
    if (graph) *graph = cudaGraph_t(0x77);
    if (nodes) *nodes = nullptr;
    if (edges) *edges = nullptr;
    if (count) *count = 0;
    return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t, unsigned long long) { *executable = cudaGraphExec_t(handle()); return cudaSuccess; }
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) { return cudaGraphInstantiate(executable, graph, flags); }
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) { fakecuda_count(GRAPH_LAUNCHES); return cudaSuccess; }
cudaError_t cudaGraphGetNodes(cudaGraph_t, cudaGraphNode_t*, size_t* count) { *count = 1; return cudaSuccess; }
cudaError_t cudaGraphNodeGetDependencies(cudaGraphNode_t, cudaGraphNode_t*, cudaGraphEdgeData*, size_t* count) { *count = 0; return cudaSuccess; }
cudaError_t cudaUserObjectCreate(cudaUserObject_t* object, void*, cudaHostFn_t, unsigned, unsigned) { *object = cudaUserObject_t(handle()); return cudaSuccess; }

static int nothing() { return 0; }
cudaError_t cudaGetDriverEntryPointByVersion(const char* name, void** function, unsigned, unsigned long long, enum cudaDriverEntryPointQueryResult* result) {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW);
    void* found = driver ? dlsym(driver, name) : nullptr;
    *function = found ? found : reinterpret_cast<void*>(nothing);
    if (result) *result = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) { *pool = cudaMemPool_t(0x88); return cudaSuccess; }
}
