// Calls of CUDA's driver that have nothing to do here but to succeed; see succeeds.cpp.
#define SUCCEEDS(name) int name() { return 0; }

extern "C" {
SUCCEEDS(cuInit) SUCCEEDS(cuCtxSetCurrent) SUCCEEDS(cuCtxSetLimit) SUCCEEDS(cuCtxPushCurrent_v2)
SUCCEEDS(cuCtxSynchronize) SUCCEEDS(cuModuleUnload) SUCCEEDS(cuFuncSetAttribute) SUCCEEDS(cuFuncSetCacheConfig)
SUCCEEDS(cuTensorMapEncodeTiled) SUCCEEDS(cuTensorMapEncodeIm2col) SUCCEEDS(cuTensorMapReplaceAddress)
SUCCEEDS(cuLinkAddData_v2) SUCCEEDS(cuLinkComplete) SUCCEEDS(cuLinkCreate_v2) SUCCEEDS(cuMemGetAddressRange_v2)
SUCCEEDS(cuMulticastCreate)
}
