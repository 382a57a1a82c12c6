// Calls of CUDA's runtime, its driver, cuBLAS and cuDNN that have nothing to do here but to succeed.
// They are written without parameters: the calling convention lets a function leave its arguments alone.
#define SUCCEEDS(name) int name() { return 0; }

extern "C" {
SUCCEEDS(cudaFuncSetAttribute) SUCCEEDS(cudaKernelSetAttributeForDevice) SUCCEEDS(cudaDeviceEnablePeerAccess)
SUCCEEDS(cudaGetLastError) SUCCEEDS(cudaPeekAtLastError) SUCCEEDS(cudaHostRegister) SUCCEEDS(cudaHostUnregister)
SUCCEEDS(cudaMemcpy2DAsync) SUCCEEDS(cudaMemcpyToSymbol) SUCCEEDS(cudaStreamDestroy) SUCCEEDS(cudaStreamQuery)
SUCCEEDS(cudaEventQuery) SUCCEEDS(cudaThreadExchangeStreamCaptureMode)
SUCCEEDS(cudaStreamUpdateCaptureDependencies) SUCCEEDS(cudaGraphDestroy) SUCCEEDS(cudaGraphExecDestroy)
SUCCEEDS(cudaGraphRetainUserObject) SUCCEEDS(cudaUserObjectRelease) SUCCEEDS(cudaProfilerStart)
SUCCEEDS(cudaProfilerStop) SUCCEEDS(cudaMemPoolSetAttribute) SUCCEEDS(cudaMemPoolGetAttribute)

SUCCEEDS(cublasDestroy_v2) SUCCEEDS(cublasSetStream_v2) SUCCEEDS(cublasSetWorkspace_v2) SUCCEEDS(cublasSetMathMode)
SUCCEEDS(cublasSetPointerMode_v2) SUCCEEDS(cublasSetSmCountTarget) SUCCEEDS(cublasLtMatmulDescDestroy)
SUCCEEDS(cublasLtMatmulDescSetAttribute) SUCCEEDS(cublasLtMatmulPreferenceDestroy)
SUCCEEDS(cublasLtMatmulPreferenceSetAttribute) SUCCEEDS(cublasLtMatrixLayoutDestroy)
SUCCEEDS(cublasLtMatrixLayoutSetAttribute)

SUCCEEDS(cudnnDestroy) SUCCEEDS(cudnnSetStream) SUCCEEDS(cudnnBackendInitialize)
SUCCEEDS(cudnnBackendDestroyDescriptor) SUCCEEDS(cudnnBackendFinalize) SUCCEEDS(cudnnBackendSetAttribute)
SUCCEEDS(cudnnDestroyTensorDescriptor) SUCCEEDS(cudnnDestroyFilterDescriptor)
SUCCEEDS(cudnnDestroyActivationDescriptor) SUCCEEDS(cudnnDestroyConvolutionDescriptor)
SUCCEEDS(cudnnSetTensorNdDescriptor) SUCCEEDS(cudnnSetFilterNdDescriptor) SUCCEEDS(cudnnSetActivationDescriptor)
}
