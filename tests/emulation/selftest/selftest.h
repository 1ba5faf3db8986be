/* selftest.h - kernels that each exercise one rule of the CUDA model. All pointers are device pointers. */
#ifndef SELFTEST_H
#define SELFTEST_H
#include <cuda_runtime_api.h>
#ifdef __cplusplus
extern "C" {
#endif
enum { SELF_IDX, SELF_UP, SELF_DOWN, SELF_XOR };
void self_shuffle(int *out, int op, int arg, int width); /* out[lane] = lane that was read; 32 ints */
void self_votes(unsigned *out);                          /* ballot of odd lanes, any, all; 3 words */
void self_half_warps(int *out);                          /* two masks are active at the same time; 32 ints */
void self_scan(int *out, int depth);                     /* inclusive scan of ones; 128 * depth ints, depth <= 8 */
void self_histogram(int *out, int buckets, int blocks);  /* atomicAdd; out zeroed by the caller */
void self_last_block(int *out, int *parts, unsigned *arrived); /* sum over 5 blocks of 32 threads of the block's number */
void self_block_votes(int *out); /* over 64 threads: number of multiples of 3; whether any is 5; whether none is 5 */
cudaError_t self_allow_shared(int bytes);             /* raises the shared memory limit of the next kernel */
cudaError_t self_reverse(void *values, int count);    /* of 16 bytes each, through dynamic shared memory */
cudaError_t self_add_one(float *x, int count, int threads, cudaStream_t stream);
#ifdef __cplusplus
}
#endif
#endif
