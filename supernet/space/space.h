#ifndef SQ_SPACE_H
#define SQ_SPACE_H

#include "kernels/graph.h"

/* A search space: a chain of layers, each with one or more choices; a path takes one choice per layer. It is read from
 * YAML (configs/spaces) and then never changes. Layers 0 .. layer_count-1 run from the stem to the classifier, and all
 * of them, stem and classifier too, are layers with choices; most have only one. */

typedef enum {
    SQ_BLOCK_CONV,       /* conv k x k, norm, activation: stem (k = 3) and head (k = 1) */
    SQ_BLOCK_SHUFFLE,    /* ShuffleNetV2 unit, depthwise kernel k (SPOS choices 0, 1, 2) */
    SQ_BLOCK_XCEPTION,   /* its Xception-like variant (SPOS choice 3) */
    SQ_BLOCK_MB,         /* MobileNetV2 inverted bottleneck: expansion, kernel, SE after the depthwise convolution */
    SQ_BLOCK_SEP,        /* two depthwise-separable convolutions, stride on the first (MobileNetV1, DARTS) */
    SQ_BLOCK_SKIP,       /* identity; only with stride 1 and equal width */
    SQ_BLOCK_CLASSIFIER, /* global pool, dropout, linear layer */
    SQ_BLOCK_KINDS
} sq_block_kind;

const char *sq_block_name(sq_block_kind kind); /* "shuffle", ...; as configurations write it */

enum { SQ_NAME_BYTES = 64, SQ_MAX_LAYERS = 96, SQ_MAX_CHOICES = 64 };

typedef struct {
    char name[SQ_NAME_BYTES]; /* "shuffle_5x5"; unique in the space */
    sq_block_kind kind;
    int kernel;       /* odd, 1..7 */
    double expansion; /* MB: mid = expansion * c_in (shuffle, xception: mid = expansion * c_out / 2, default 1) */
    bool has_se;
    double se_ratio; /* reduced channels = divisible(ratio * channels), default 0.25 */
    sq_activation gate_activation;
    sq_activation activation; /* SQ_ACTIVATIONS: the layer's */
} sq_choice;

typedef struct {
    int h_in, w_in, h_out, w_out;
    int stride;
    int c_in, c_out;                /* used widths, after rounding */
    int c_requested;                /* the width that the space file asks for c_out */
    int pitch_in, pitch_out;        /* stored channels of the boundaries, >= c */
    bool is_split_in, is_split_out; /* see sq_slot */
    sq_activation activation;
    int choice_count;
    int choices[SQ_MAX_CHOICES]; /* indices into sq_space.choices */
    int searched_index;          /* position in an architecture's tuple, or SQ_NONE when there is only one choice */
} sq_layer;

typedef enum { SQ_WIDTHS_ROUND, SQ_WIDTHS_PAD, SQ_WIDTHS_KEEP } sq_widths;
typedef enum { SQ_NAMES_SPOS, SQ_NAMES_PROXYLESS } sq_naming; /* PyTorch module paths of the published networks */
typedef enum { SQ_INIT_SPOS, SQ_INIT_HE } sq_init;

typedef struct {
    char name[SQ_NAME_BYTES];
    char path[1024];   /* the file it came from */
    char source[1024]; /* what the file says of whose space it is */
    int resolution, classes;
    sq_widths widths;
    sq_naming naming;
    sq_init init;
    bool is_affine;          /* norms of the supernet have gamma and beta; a single path (--arch) always has */
    float epsilon, momentum; /* of the norms; momentum weighs the new batch */
    float dropout;
    bool has_bias; /* of the classifier */
    int choice_count;
    sq_choice choices[SQ_MAX_CHOICES];
    int layer_count, searched_count;
    sq_layer layers[SQ_MAX_LAYERS];
} sq_space;

/* Reads a space file. resolution, classes: replace those of the file when > 0. On failure *out is untouched and the
 * text names file, line or key, what was found and what was wanted (unknown keys: the nearest known one). */
SQ_MUST_USE sq_status sq_space_read(sq_space **out, const char *path, int resolution, int classes);
void sq_space_free(sq_space *space); /* accepts NULL */

/* The space that contains only one path of `space`: every layer has one choice, and norms are affine. */
SQ_MUST_USE sq_status sq_space_single(sq_space **out, const sq_space *space, const int *path);

/* The space whose layer l has counts[l] of the choices of `space`'s layer l: numbers[l][0], numbers[l][1], ... (in
 * [0, layers[l].choice_count), each once), in that order. name: the new space's. */
SQ_MUST_USE sq_status sq_space_restrict(sq_space **out, const sq_space *space, const char *name, const int *counts,
                                        const int (*numbers)[SQ_MAX_CHOICES]);

/* Writes a file that reads back as this space: the choices that some layer has, and a row a layer. comment: lines that
 * the file opens with, without their '#'; NULL: none. */
SQ_MUST_USE sq_status sq_space_write(const sq_space *space, const char *comment, const char *path);

/* A fingerprint of everything that decides shapes and names; checkpoints carry it. */
uint64_t sq_space_hash(const sq_space *space);

/* width rounded to a multiple of 8, never below 90 % of it (MobileNet's make_divisible). */
int sq_divisible(double width);

/* Widths inside blocks follow the space's rule: divisible (ROUND) or rounded to the nearest integer (PAD, KEEP). */
int sq_space_width(const sq_space *space, double width);
/* Stored channels for c: the next multiple of 8 under PAD, else c. */
int sq_space_pitch(const sq_space *space, int c);

/* ---- Paths: int path[layer_count], path[l] in [0, layers[l].choice_count) ---- */

/* Reads an architecture: a SPOS tuple "(2, 1, 0)" or "2,1,0", NNI JSON {"LayerChoice1": "2", ...}, or the name of a
 * file that holds one (also our arch.json). One number per searched layer. SQ_INVALID says which is wrong. */
SQ_MUST_USE sq_status sq_arch_read(const sq_space *space, const char *text, int *path);
/* The path of one number for each searched layer; layers with one choice take it. Returns SQ_NONE, or the first layer
 * whose number is none of its choices; path[layer] is then that number, and the layers behind it are not written. */
int sq_arch_path(const sq_space *space, const int *numbers, int *path);
/* "(2, 1, 0, ...)" of the searched layers; cut to bytes. Returns the length it needs, as snprintf. */
int sq_arch_print(const sq_space *space, const int *path, char *text, size_t bytes);
/* NNI JSON, with a newline at the end. */
int sq_arch_print_nni(const sq_space *space, const int *path, char *text, size_t bytes);

#endif
