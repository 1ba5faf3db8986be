#ifndef SQ_BLOCK_KINDS_H
#define SQ_BLOCK_KINDS_H

#include "supernet/space/block_description.h"

/* One row per block kind. Space files, checks, pictures, reports, latency keys and selection derive from it. To add a
 * kind: a line in SQ_BLOCK_KIND_LIST (space.h), and a file in supernet/space/blocks that defines its row. */

struct sq_describer;

enum { SQ_BLOCK_TINTS = 3, SQ_BLOCK_FIRST_KERNEL = 100 };

typedef struct {
    const char *label; /* in pictures: "Shuffle" */
    /* Background colours in pictures for kernels 3, 5 and 7, from light to dark; black text must be readable on them.
     */
    const char *tints[SQ_BLOCK_TINTS];
    enum { SQ_LABEL_PLAIN, SQ_LABEL_KERNEL, SQ_LABEL_EXPANSION_UNLESS_1, SQ_LABEL_EXPANSION } label_style;

    bool
        takes_expansion; /* `expansion` changes the block; space files always write it if label_style shows it always */
    bool takes_se;       /* else `se: true` is refused */
    bool can_be_dropped; /* a device's rules can name the kind (`rules: {drop: [sep]}` in device.yaml) */
    bool is_optional;    /* left out of layers where it does not fit, even if the layer's row names it */
    bool reads_halves;   /* with stride 1 it reads even and odd channels separately, so its input is stored split */
    sq_block_kind family; /* kinds that operator selection counts together share one; usually the kind itself */

    void (*describe)(struct sq_describer *d);
    /* Channels inside the block, for latency keys: blocks that differ only in their expansion must differ here. 0: the
     * kind has no inner width. */
    int (*middle)(const sq_description *d);
    /* Why the layer cannot hold the choice, or NULL. The function itself may be NULL: fits everywhere. */
    const char *(*obstacle)(const sq_layer *layer, const sq_choice *choice);
    /* Only of kinds with two kernels (start_kernel, mid_kernel): `kernel` of latency keys, which is
     * SQ_BLOCK_FIRST_KERNEL * the first + the last. NULL: the kind has one kernel, which is the key's. */
    int (*key_kernel)(const sq_choice *choice);
} sq_block_kind_row;

/* kind: below SQ_BLOCK_KINDS. */
const sq_block_kind_row *sq_block_kind_of(sq_block_kind kind);

/* Word of a kind in space files ("shuffle"), and back; SQ_BLOCK_KINDS when unknown. */
const char *sq_block_name(sq_block_kind kind);
sq_block_kind sq_block_find(const char *word);

/* "conv, shuffle, ... or skip", for error messages: kinds for which `has` is true; NULL: all. Returns text. */
const char *sq_block_list(char *text, size_t bytes, bool (*has)(const sq_block_kind_row *row));

/* Whether pictures and reports show the choice's kernel, and its expansion. */
bool sq_block_shows_kernel(const sq_choice *choice);
bool sq_block_shows_expansion(const sq_choice *choice);

/* A `middle` for kinds without an inner width: 0. */
int sq_block_no_middle(const sq_description *d);

#define SQ_BLOCK_DECLARE(constant, word) extern const sq_block_kind_row sq_block_##word;
SQ_BLOCK_KIND_LIST(SQ_BLOCK_DECLARE, SQ_BLOCK_DECLARE)

#endif
