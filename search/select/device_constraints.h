#ifndef SQ_DEVICE_CONSTRAINTS_H
#define SQ_DEVICE_CONSTRAINTS_H

#include "supernet/space/space.h"

/* What a device must not run, as properties of operators: `rules: {drop: [se, kernel_7]}` in device.yaml. `squall
 * select` leaves out every operator that has one of them. */

typedef enum {
    SQ_PROPERTY_SE, /* "se": squeeze-and-excitation */
    SQ_PROPERTY_KERNEL_3,
    SQ_PROPERTY_KERNEL_5,
    SQ_PROPERTY_KERNEL_7,
    SQ_PROPERTY_KIND, /* + an sq_block_kind: block kinds, by their words in space files */
    SQ_PROPERTIES = SQ_PROPERTY_KIND + SQ_BLOCK_KINDS
} sq_operator_property;

typedef struct {
    bool drops[SQ_PROPERTIES];
} sq_device_constraints;

const char *sq_operator_property_name(sq_operator_property property); /* "se", "kernel_3", ... "sep" */

/* Adds one property by name. SQ_INVALID "<where>: unknown property 'sse', did you mean 'se'?". */
SQ_MUST_USE sq_status sq_device_constraints_add(sq_device_constraints *constraints, const char *name,
                                                const char *where);

/* The first property of the operator that the rules drop; SQ_PROPERTIES: it has none. */
sq_operator_property sq_device_constraints_find(const sq_device_constraints *constraints, const sq_choice *choice);

/* "se, kernel_7"; "" without rules. */
void sq_device_constraints_print(const sq_device_constraints *constraints, char *text, size_t bytes);

#endif
