/* Classic mistakes in kernels and their host code. The emulation must catch each one. */
#ifndef BUGGY_H
#define BUGGY_H
#ifdef __cplusplus
extern "C" {
#endif
/* Runs the mistake with this name. *result is computed from its output: NaN if NaN reveals the mistake. Returns 0 for
 * an unknown name. */
int bug_run(const char *name, float *result);
int ptx_only_bug_run(const char *name, float *result); /* the same for the mistakes of ptx_only_bugs.cu */
#ifdef __cplusplus
}
#endif
#endif
