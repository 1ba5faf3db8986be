#ifndef SQ_SLOT_H
#define SQ_SLOT_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/activation.h"

/* Slots are the tensors of a graph. Operations read slots through views. The layout is NHWC everywhere. */

#define SQ_NONE (-1) /* index of an absent slot, norm or gate */

typedef enum { SQ_F32, SQ_BF16, SQ_I32, SQ_U8, SQ_BYTES, SQ_DTYPES } sq_dtype;

/* The purpose of a slot. The role determines which code writes the slot and how long the content is needed. A model
 * makes one allocation per role. */
typedef enum {
    SQ_ROLE_INPUT,         /* uint8 images, labels and augmentation parameters, which the host writes in each step */
    SQ_ROLE_BOUNDARY,      /* block outputs; layer l reads boundary l; live until the layer's backward pass */
    SQ_ROLE_BOUNDARY_GRAD, /* gradients of boundaries; two buffers, used alternately */
    SQ_ROLE_WEIGHT,        /* trained parameters: FP32 masters in PyTorch's layout, contiguous per (layer, choice) */
    SQ_ROLE_WEIGHT_GRAD,   /* same offsets as WEIGHT */
    SQ_ROLE_MOMENTUM,      /* same offsets as WEIGHT */
    SQ_ROLE_AVERAGE,       /* exponential moving average of the weights; same offsets as WEIGHT */
    SQ_ROLE_STATISTICS,    /* running mean and variance of every norm */
    SQ_ROLE_SAVED,         /* written by forward, read by backward of the same choice; one region per layer */
    SQ_ROLE_SCRATCH,       /* temporary during a program; shared by all programs */
    SQ_ROLE_WORKSPACE,     /* partial results and repacked weights of the running program; sized by the backend */
    SQ_ROLE_STEP,          /* one sq_step: the scalars of the current step */
    SQ_ROLE_RESULT,        /* one sq_result: sums over the batches since the result was cleared */
    SQ_ROLES
} sq_role;

typedef struct {
    sq_role role;
    sq_dtype dtype;
    int n, h, w, c; /* logical shape; c excludes padding */
    int pitch;      /* elements from one pixel to the next, >= c; the padding elements stay zero */
    bool is_split;  /* stored as [even channels | odd channels], a channel shuffle; each half is pitch / 2 wide */
    size_t offset;  /* bytes from the role's base; a multiple of 64 */
} sq_slot;

/* Returns the number of stored elements: n * h * w * pitch. */
size_t sq_slot_count(const sq_slot *slot);
size_t sq_slot_bytes(const sq_slot *slot);
size_t sq_dtype_bytes(sq_dtype dtype);

/* Returns the storage index of logical channel i, which differs from i only in split slots. */
int sq_slot_channel(const sq_slot *slot, int i);

typedef enum { SQ_ALL, SQ_EVEN, SQ_ODD, SQ_PARTS } sq_part; /* which logical channels of the slot a view shows */

typedef struct {
    int slot; /* SQ_NONE: the operand is absent */
    int norm; /* index of the pending norm; SQ_NONE: the slot's values are used unchanged */
    sq_activation activation;
    int gate;     /* slot (n,1,1,c), multiplied after the activation; SQ_NONE: no gate */
    sq_part part; /* SQ_EVEN and SQ_ODD, of c / 2 channels, only for plain boundary slots */
} sq_view;

sq_view sq_view_none(void);
sq_view sq_view_plain(int slot, sq_part part);
sq_view sq_view_pending(int slot, int norm, sq_activation activation, int gate);

/* Channel i of a view is stored at index first + i * step of the slot; the view has c channels. */
typedef struct {
    int first, step, c;
} sq_channels;
sq_channels sq_view_channels(const sq_slot *slot, sq_part part);

#endif
