/* selftest.h - kernels that each exercise one rule of the CUDA model. All pointers are device pointers. */
#ifndef SELFTEST_H
#define SELFTEST_H
#include <cuda_runtime_api.h>
#ifdef __cplusplus
extern "C" {
#endif
enum { SELF_IDX, SELF_UP, SELF_DOWN, SELF_XOR };
void self_shuffle(int *out, int op, int arg, int width); /* out[lane] = the lane that was read; 32 ints */
void self_votes(unsigned *out);                          /* ballot of odd lanes, any, all; 3 words */
void self_half_warps(int *out);                          /* two masks are active at the same time; 32 ints */
void self_scan(int *out, int depth);                     /* inclusive scan of ones; 128 * depth ints, depth <= 8 */
void self_histogram(int *out, int buckets, int blocks);  /* uses atomicAdd; the caller clears out */
/* out[0] = the sum of the block numbers over all threads of 5 blocks of 32 threads. */
void self_last_block(int *out, int *parts, unsigned *arrived);
/* Votes of 64 threads on their indices: the number of multiples of 3; whether any index is 5; whether no index is 5. */
void self_block_votes(int *out);
cudaError_t self_allow_shared(int bytes);             /* raises the shared memory limit of self_reverse's kernel */
/* Reverses `count` values of 16 bytes through dynamic shared memory. */
cudaError_t self_reverse(void *values, int count);
cudaError_t self_add_one(float *x, int count, int threads, cudaStream_t stream);
#ifdef __cplusplus
}
#endif
#endif
