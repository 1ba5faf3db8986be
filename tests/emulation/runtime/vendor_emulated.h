#ifndef VENDOR_EMULATED_H
#define VENDOR_EMULATED_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Controls of the emulated libraries for tests. */
void emu_vendor_missing(bool is_missing); /* pretends that the libraries are not installed */
void emu_vendor_refuse(int kernel); /* removes the engines for convolutions with this kernel size; 0: restores all */
int emu_vendor_plan_count(void);    /* number of plans made so far */
int emu_vendor_live(void);          /* number of objects that are opened, planned or bound, but not yet released */

#ifdef __cplusplus
}
#endif
#endif
