#ifndef SQ_BLOCK_KINDS_H
#define SQ_BLOCK_KINDS_H

#include "supernet/space/block_description.h"

/* One row per block kind. Space files, checks, pictures, reports, latency keys and operator selection read the rows. To
 * add a kind, add a line to SQ_BLOCK_KIND_LIST (space.h), and a file to supernet/space/blocks that defines the kind's
 * row. */

struct sq_describer;

enum { SQ_BLOCK_TINTS = 3, SQ_BLOCK_FIRST_KERNEL = 100 };

typedef struct {
    const char *label; /* name in pictures: "Shuffle" */
    /* Background colours in pictures for kernels 3, 5 and 7, from light to dark; black text must be readable on them.
     */
    const char *tints[SQ_BLOCK_TINTS];
    enum { SQ_LABEL_PLAIN, SQ_LABEL_KERNEL, SQ_LABEL_EXPANSION_UNLESS_1, SQ_LABEL_EXPANSION } label_style;

    /* `expansion` changes the block. Space files always contain `expansion` if label_style is SQ_LABEL_EXPANSION. */
    bool takes_expansion;
    bool takes_se;        /* if false, `se: true` is an error */
    bool can_be_dropped;  /* a device's rules can name the kind (`rules: {drop: [sep]}` in device.yaml) */
    bool is_optional;     /* omitted from layers that the kind does not fit, even if the layer's row names it */
    bool reads_halves;    /* with stride 1, reads even and odd channels separately, so the input is stored split */
    sq_block_kind family; /* operator selection counts kinds of one family together; usually the kind itself */

    void (*describe)(struct sq_describer *d);
    /* Returns the number of channels inside the block, for latency keys; 0: the kind has no inner width. Blocks that
     * differ only in `expansion` must return different numbers. */
    int (*middle)(const sq_description *d);
    /* Returns why the layer cannot have the choice, or NULL. The pointer is NULL if the kind fits every layer. */
    const char *(*obstacle)(const sq_layer *layer, const sq_choice *choice);
    /* For kinds with two kernels: returns `kernel` of latency keys, which is
     * SQ_BLOCK_FIRST_KERNEL * start_kernel + mid_kernel. NULL: the kind has one kernel, which latency keys contain. */
    int (*key_kernel)(const sq_choice *choice);
} sq_block_kind_row;

/* Returns the row of a kind, which must be below SQ_BLOCK_KINDS. */
const sq_block_kind_row *sq_block_kind_of(sq_block_kind kind);

/* The word of a kind in space files ("shuffle"), and the kind of a word; SQ_BLOCK_KINDS: the word is unknown. */
const char *sq_block_name(sq_block_kind kind);
sq_block_kind sq_block_find(const char *word);

/* Writes the words of the kinds for which `has` returns true (has NULL: all kinds) as "conv, shuffle, ... or skip", for
 * error messages. Returns text. */
const char *sq_block_list(char *text, size_t bytes, bool (*has)(const sq_block_kind_row *row));

/* Whether pictures and reports show the choice's kernel, and its expansion. */
bool sq_block_shows_kernel(const sq_choice *choice);
bool sq_block_shows_expansion(const sq_choice *choice);

/* The function `middle` of kinds without an inner width. Returns 0. */
int sq_block_no_middle(const sq_description *d);

#define SQ_BLOCK_DECLARE(constant, word) extern const sq_block_kind_row sq_block_##word;
SQ_BLOCK_KIND_LIST(SQ_BLOCK_DECLARE, SQ_BLOCK_DECLARE)

#endif
