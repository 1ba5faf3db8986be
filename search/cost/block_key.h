#ifndef SQ_BLOCK_KEY_H
#define SQ_BLOCK_KEY_H

#include "supernet/space/space.h"

/* The key of a block in a latency table: its kind and shapes. Blocks with the same key run the same operations on the
 * same shapes. */

typedef struct {
    sq_block_kind kind;
    int h, w; /* of the input */
    int c_in, c_out;
    int mid;    /* channels inside the block; 0: the kind has no inner width */
    int kernel; /* of a block with two depthwise convolutions: SQ_BLOCK_FIRST_KERNEL * the first + the last */
    int stride;
    int se; /* hidden channels of squeeze-and-excitation; 0: none */
    sq_activation activation;
} sq_block_key;

enum { SQ_BLOCK_KEY_BYTES = 160, SQ_BLOCK_KEY_FIELDS = 10 };
#define SQ_BLOCK_KEY_COLUMNS "kind,h,w,c_in,c_out,mid,kernel,stride,se,act"

sq_block_key sq_block_key_of(const sq_space *space, int layer, int choice);

/* "mb,56,56,24,24,144,3,1,0,relu6", in the order of SQ_BLOCK_KEY_COLUMNS. Returns the length, as snprintf. */
int sq_block_key_print(const sq_block_key *key, char *text, size_t bytes);
/* Parses one field per column. SQ_INVALID: `where`, the column, the found and the expected value. */
SQ_MUST_USE sq_status sq_block_key_parse(const char *const fields[SQ_BLOCK_KEY_FIELDS], const char *where,
                                         sq_block_key *out);

/* Order by kind, kernel, stride, activation, se, then shape. */
int sq_block_key_compare(const sq_block_key *a, const sq_block_key *b);
/* Whether the blocks differ only in their sizes: same kind, stride and activation, both or neither with
 * squeeze-and-excitation. */
bool sq_block_key_is_alike(const sq_block_key *a, const sq_block_key *b);
/* Whether no size of a exceeds that of b: pixels, channels, kernel. */
bool sq_block_key_is_below(const sq_block_key *a, const sq_block_key *b);
/* Distance of two blocks, for naming the nearest one in messages. A different kind weighs more than different sizes. */
double sq_block_key_distance(const sq_block_key *a, const sq_block_key *b);

#endif
