/* Common mistakes in kernels and their host code. The emulation must report each one. */
#ifndef BUGGY_H
#define BUGGY_H
#ifdef __cplusplus
extern "C" {
#endif
/* Runs the code with the mistake `name`. Stores a value from its output in *result; the value is NaN if this is how the
 * mistake is detected. Returns 0 for an unknown name, 1 otherwise. */
int bug_run(const char *name, float *result);
int ptx_only_bug_run(const char *name, float *result); /* the same for the mistakes in ptx_only_bugs.cu */
#ifdef __cplusplus
}
#endif
#endif
