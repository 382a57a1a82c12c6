// CUDA's driver, as libcuda.so.1: what Triton loads its kernels through. Launches are counted by runtime.cpp.
#include <cuda.h>
#include <dlfcn.h>

#include <cstdlib>
#include <cstring>

namespace {
long setting(const char* name, long otherwise) {
    const char* text = std::getenv(name);
    return text ? std::atol(text) : otherwise;
}
template <class T> CUresult open(T* what) {
    static long last = 0x500000;
    *what = reinterpret_cast<T>(last += 64);
    return CUDA_SUCCESS;
}
CUresult launched() {
    using Launch = void (*)(const char*);
    static auto launch = reinterpret_cast<Launch>(dlsym(RTLD_DEFAULT, "fakecuda_launch"));
    if (launch) launch("triton");
    return CUDA_SUCCESS;
}
const CUcontext context = reinterpret_cast<CUcontext>(0x1234);
}

extern "C" {
CUresult cuDriverGetVersion(int* version) { *version = int(setting("FAKECUDA_DRIVER", 13020)); return CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int* count) { *count = int(setting("FAKECUDA_DEVICES", 1)); return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice* device, int number) { *device = number; return CUDA_SUCCESS; }
CUresult cuDeviceGetName(char* text, int size, CUdevice) {
    const char* name = std::getenv("FAKECUDA_NAME");
    std::strncpy(text, name ? name : "NVIDIA H100 80GB HBM3", size_t(size));
    return CUDA_SUCCESS;
}
CUresult cuDeviceTotalMem_v2(size_t* size, CUdevice) { *size = size_t(setting("FAKECUDA_GB", 80)) << 30; return CUDA_SUCCESS; }
CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice) {
    long capability = setting("FAKECUDA_CAPABILITY", 90);
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = int(capability / 10); break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = int(capability % 10); break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = int(setting("FAKECUDA_MULTIPROCESSORS", 132)); break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *value = 49152; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 232448; break;
    case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: *value = 65536; break;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *value = 32; break;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: *value = 1980000; break;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *value = 2619000; break;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: *value = 5120; break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}
#undef cuCtxGetCurrent
CUresult cuCtxGetCurrent(CUcontext* current) { *current = context; return CUDA_SUCCESS; }
CUresult cuCtxGetDevice(CUdevice* device) { *device = 0; return CUDA_SUCCESS; }
CUresult cuCtxGetLimit(size_t* value, CUlimit) { *value = 0; return CUDA_SUCCESS; }
CUresult cuCtxPopCurrent_v2(CUcontext* current) { *current = context; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRetain(CUcontext* retained, CUdevice) { *retained = context; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxGetState(CUdevice, unsigned* flags, int* active) { *flags = 0, *active = 1; return CUDA_SUCCESS; }
CUresult cuGetErrorString(CUresult, const char** text) { *text = "fakecuda"; return CUDA_SUCCESS; }
CUresult cuGetErrorName(CUresult, const char** text) { *text = "fakecuda"; return CUDA_SUCCESS; }
CUresult cuModuleLoad(CUmodule* module, const char*) { return open(module); }
CUresult cuModuleLoadData(CUmodule* module, const void*) { return open(module); }
CUresult cuModuleLoadDataEx(CUmodule* module, const void*, unsigned, CUjit_option*, void**) { return open(module); }
CUresult cuModuleGetFunction(CUfunction* function, CUmodule, const char*) { return open(function); }
CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction) {
    *value = attribute == CU_FUNC_ATTRIBUTE_NUM_REGS ? 32 : attribute == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction, int, size_t) { *blocks = 4; return CUDA_SUCCESS; }
CUresult cuOccupancyMaxActiveClusters(int* clusters, CUfunction, const CUlaunchConfig*) { *clusters = 4; return CUDA_SUCCESS; }
CUresult cuLaunchKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**, void**) { return launched(); }
CUresult cuLaunchKernelEx(const CUlaunchConfig*, CUfunction, void**, void**) { return launched(); }
CUresult cuLaunchCooperativeKernel(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**) { return launched(); }
CUresult cuPointerGetAttribute(void* value, CUpointer_attribute attribute, CUdeviceptr address) {
    if (attribute == CU_POINTER_ATTRIBUTE_DEVICE_POINTER) *static_cast<CUdeviceptr*>(value) = address;
    else *static_cast<unsigned*>(value) = CU_MEMORYTYPE_DEVICE;
    return CUDA_SUCCESS;
}
CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus* status) { *status = CU_STREAM_CAPTURE_STATUS_NONE; return CUDA_SUCCESS; }
CUresult cuGetProcAddress_v2(const char* name, void** function, int, cuuint64_t, CUdriverProcAddressQueryResult* result) {
    *function = dlsym(RTLD_DEFAULT, name);
    if (result) *result = CU_GET_PROC_ADDRESS_SUCCESS;
    return *function ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}
}
