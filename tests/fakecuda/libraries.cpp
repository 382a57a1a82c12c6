// cuBLAS, cuBLASLt and cuDNN as far as torch calls them: handles, and products and convolutions that count as launches.
#include <cstdint>
#include <cstring>

#include "counters.h"

namespace {
long last = 0x900000;
int open(void** what) { *what = reinterpret_cast<void*>(last += 64); return 0; }
int launched(const char* name) { fakecuda_launch(name); return 0; }
}

#define OPENS(name) int name(void** what) { return open(what); }
#define LAUNCHES_ONE(name) int name() { return launched(#name); }

extern "C" {
// --- cuBLAS
OPENS(cublasCreate_v2) OPENS(cublasLtCreate)
int cublasGetMathMode(void*, int* mode) { *mode = 0; return 0; }
int cublasGetPointerMode_v2(void*, int* mode) { *mode = 0; return 0; }
LAUNCHES_ONE(cublasGemmEx) LAUNCHES_ONE(cublasSgemm_v2) LAUNCHES_ONE(cublasSgemmEx) LAUNCHES_ONE(cublasDgemm_v2)
LAUNCHES_ONE(cublasGemmStridedBatchedEx) LAUNCHES_ONE(cublasSgemmStridedBatched) LAUNCHES_ONE(cublasDgemmStridedBatched)
LAUNCHES_ONE(cublasSgemv_v2) LAUNCHES_ONE(cublasDgemv_v2) LAUNCHES_ONE(cublasSdot_v2) LAUNCHES_ONE(cublasDotEx)
LAUNCHES_ONE(cublasLtMatmul)
int cublasLtMatmulDescCreate(void** what, int, int) { return open(what); }
int cublasLtMatmulPreferenceCreate(void** what) { return open(what); }
int cublasLtMatrixLayoutCreate(void** what, int, uint64_t, uint64_t, int64_t) { return open(what); }
struct Heuristic { uint64_t algorithm[8]; size_t workspace; int state; float waves; int reserved[4]; };
int cublasLtMatmulAlgoGetHeuristic(void*, void*, void*, void*, void*, void*, void*, int, Heuristic* result, int* count) {
    std::memset(result, 0, sizeof *result);
    *count = 1;
    return 0;
}

// --- cuDNN
OPENS(cudnnCreate) OPENS(cudnnCreateTensorDescriptor) OPENS(cudnnCreateFilterDescriptor)
OPENS(cudnnCreateActivationDescriptor) OPENS(cudnnCreateConvolutionDescriptor)
int cudnnGetStream(void*, void** stream) { *stream = nullptr; return 0; }
const char* cudnnGetErrorString(int) { return "fakecuda"; }
void cudnnGetLastErrorString(char* text, size_t size) { if (size) *text = 0; }
int cudnnBackendCreateDescriptor(int, void** what) { return open(what); }
int cudnnBackendExecute(void*, void*, void*) { return launched("cudnn"); }
int cudnnBackendGetAttribute(void*, int attribute, int, int64_t, int64_t* count, void* value) {
    const int HEURISTIC_RESULTS = 202, PLAN_WORKSPACE = 402; // CUDNN_ATTR_..., cudnn_graph.h
    if (attribute == PLAN_WORKSPACE && value) *static_cast<int64_t*>(value) = 0;
    if (count) *count = attribute == HEURISTIC_RESULTS || attribute == PLAN_WORKSPACE;
    return 0;
}
int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(void*, int, int, void*, void*, void*, void*, void*, size_t* size) { *size = 0; return 0; }
int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void*, int, int, void*, void*, size_t* size) { *size = 1024; return 0; }
int cudnnGetBatchNormalizationBackwardExWorkspaceSize(void*, int, int, void*, void*, void*, void*, void*, void*, void*, size_t* size) { *size = 0; return 0; }
LAUNCHES_ONE(cudnnBatchNormalizationForwardTrainingEx) LAUNCHES_ONE(cudnnBatchNormalizationForwardInference)
LAUNCHES_ONE(cudnnBatchNormalizationBackwardEx)
}
