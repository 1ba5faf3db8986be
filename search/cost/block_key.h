#ifndef SQ_BLOCK_KEY_H
#define SQ_BLOCK_KEY_H

#include "supernet/space/space.h"

/* What tells one block of a latency table from another: its kind and shapes. Two blocks with one key run the same
 * operations on the same shapes. */

typedef struct {
    sq_block_kind kind;
    int h, w; /* of the input */
    int c_in, c_out;
    int mid;    /* channels inside the block; 0: there is no such thing */
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
/* One field a column. SQ_INVALID names the column, what stands there and what was wanted; `where` comes before it. */
SQ_MUST_USE sq_status sq_block_key_parse(const char *const fields[SQ_BLOCK_KEY_FIELDS], const char *where,
                                         sq_block_key *out);

/* By kind, kernel, stride, activation, se, then shape. */
int sq_block_key_compare(const sq_block_key *a, const sq_block_key *b);
/* Same kind, stride and activation, and both or neither with squeeze-and-excitation: what differs is sizes. */
bool sq_block_key_is_alike(const sq_block_key *a, const sq_block_key *b);
/* No size of a is larger than b's: pixels, channels, kernel. */
bool sq_block_key_is_below(const sq_block_key *a, const sq_block_key *b);
/* How far two blocks are from each other, for naming the nearest one: fields of another kind weigh more than sizes. */
double sq_block_key_distance(const sq_block_key *a, const sq_block_key *b);

#endif
