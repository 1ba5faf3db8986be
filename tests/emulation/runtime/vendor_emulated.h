#ifndef VENDOR_EMULATED_H
#define VENDOR_EMULATED_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Controls of the emulated libraries for tests. */
void emu_vendor_missing(bool is_missing); /* pretends that they are not installed */
void emu_vendor_refuse(int kernel); /* removes the engines for convolutions with this kernel size; 0: all exist */
int emu_vendor_plan_count(void);    /* plans made so far */
int emu_vendor_live(void);          /* opened, planned, bound and not yet released */

#ifdef __cplusplus
}
#endif
#endif
