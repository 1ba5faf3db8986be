#ifndef SQ_BLOCK_KEY_H
#define SQ_BLOCK_KEY_H

#include "supernet/space/space.h"

/* The key of a block in a latency table consists of the block's kind, shapes and activation. Blocks with the same key
 * run the same operations on the same shapes. */

typedef struct {
    sq_block_kind kind;
    int h, w; /* of the input */
    int c_in, c_out;
    int mid;    /* channels inside the block; 0: the kind has no inner width */
    int kernel; /* two depthwise convolutions: SQ_BLOCK_FIRST_KERNEL * first kernel + last kernel */
    int stride;
    int se; /* hidden channels of squeeze-and-excitation; 0: none */
    sq_activation activation;
} sq_block_key;

enum { SQ_BLOCK_KEY_BYTES = 160, SQ_BLOCK_KEY_FIELDS = 10 };
#define SQ_BLOCK_KEY_COLUMNS "kind,h,w,c_in,c_out,mid,kernel,stride,se,act"

sq_block_key sq_block_key_of(const sq_space *space, int layer, int choice);

/* Prints the key in the order of SQ_BLOCK_KEY_COLUMNS: "mb,56,56,24,24,144,3,1,0,relu6". Returns the length, as
 * snprintf does. */
int sq_block_key_print(const sq_block_key *key, char *text, size_t bytes);
/* Parses one field per column. SQ_INVALID: the message names `where`, the column, the found and the expected value. */
SQ_MUST_USE sq_status sq_block_key_parse(const char *const fields[SQ_BLOCK_KEY_FIELDS], const char *where,
                                         sq_block_key *out);

/* Compares by kind, kernel, stride, activation, se and then shape. Returns -1, 0 or 1. */
int sq_block_key_compare(const sq_block_key *a, const sq_block_key *b);
/* Returns whether the blocks differ only in their sizes. Kind, stride and activation are the same, and either both
 * blocks or neither has squeeze-and-excitation. */
bool sq_block_key_is_alike(const sq_block_key *a, const sq_block_key *b);
/* Returns whether no size of a (pixels, channels, kernels, se) exceeds the same size of b. */
bool sq_block_key_is_below(const sq_block_key *a, const sq_block_key *b);
/* Returns a distance between two blocks, which messages use to name the nearest block. A difference in kind weighs more
 * than differences in size. */
double sq_block_key_distance(const sq_block_key *a, const sq_block_key *b);

#endif
