#ifndef SQ_DEVICE_CONSTRAINTS_H
#define SQ_DEVICE_CONSTRAINTS_H

#include "supernet/space/space.h"

/* Properties that a device's operators must not have: `rules: {drop: [se, kernel_7]}` in device.yaml. `squall select`
 * excludes every operator with one of them. */

typedef enum {
    SQ_PROPERTY_SE, /* "se": squeeze-and-excitation */
    SQ_PROPERTY_KERNEL_3,
    SQ_PROPERTY_KERNEL_5,
    SQ_PROPERTY_KERNEL_7,
    SQ_PROPERTY_KIND, /* SQ_PROPERTY_KIND + an sq_block_kind: this kind; its name is the kind's word */
    SQ_PROPERTIES = SQ_PROPERTY_KIND + SQ_BLOCK_KINDS
} sq_operator_property;

typedef struct {
    bool drops[SQ_PROPERTIES];
} sq_device_constraints;

const char *sq_operator_property_name(sq_operator_property property); /* "se", "kernel_3", ... "sep" */

/* Adds one property by name. SQ_INVALID "<where>: unknown property 'sse', did you mean 'se'?". */
SQ_MUST_USE sq_status sq_device_constraints_add(sq_device_constraints *constraints, const char *name,
                                                const char *where);

/* Returns the first excluded property that the operator has; SQ_PROPERTIES: the operator has none. */
sq_operator_property sq_device_constraints_find(const sq_device_constraints *constraints, const sq_choice *choice);

/* Writes the excluded properties: "se, kernel_7"; "" without constraints. */
void sq_device_constraints_print(const sq_device_constraints *constraints, char *text, size_t bytes);

#endif
