/* Classic mistakes of kernels and of the host code around them, each of which the emulation must catch. */
#ifndef BUGGY_H
#define BUGGY_H
#ifdef __cplusplus
extern "C" {
#endif
/* Makes the mistake of that name; *result is a value computed from its output, NaN where that tells on it. 0: no such. */
int bug_run(const char *name, float *result);
int ptx_only_bug_run(const char *name, float *result); /* of ptx_only_bugs.cu, likewise */
#ifdef __cplusplus
}
#endif
#endif
