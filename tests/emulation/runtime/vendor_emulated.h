#ifndef VENDOR_EMULATED_H
#define VENDOR_EMULATED_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a test may do to the emulated libraries. */
void emu_vendor_missing(bool is_missing); /* as on a machine without them */
void emu_vendor_refuse(int kernel); /* no engine for convolutions with this kernel; 0: for all of them there is one */
int emu_vendor_plan_count(void);    /* plans made so far */
int emu_vendor_live(void);          /* opened, planned, bound and not yet released */

#ifdef __cplusplus
}
#endif
#endif
