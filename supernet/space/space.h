#ifndef SQ_SPACE_H
#define SQ_SPACE_H

#include "kernels/graph.h"

/* A search space: a chain of layers, each with one or more choices; a path takes one choice per layer. A space is read
 * from YAML (configs/spaces) and does not change afterwards. Layer 0 is the stem, and the last layer is the
 * classifier. Stem and classifier usually have one choice. */

/* The block kinds: KIND(constant, word in space files). BUILT_IN kinds have no word in space files. Each kind has a
 * row `sq_block_<word>` in supernet/space/blocks. The order is part of sq_space_hash, so append new kinds at the end.
 *
 * conv        convolution k x k, norm, activation: stem (k = 3) and head (k = 1)
 * shuffle     ShuffleNetV2 unit with depthwise kernel k (SPOS choices 0, 1, 2)
 * xception    Xception-like variant of the ShuffleNetV2 unit (SPOS choice 3)
 * mb          MobileNetV2 inverted bottleneck; squeeze-and-excitation follows the depthwise convolution
 * sep         two depthwise-separable convolutions, the first with the stride (MobileNetV1, DARTS)
 * skip        identity; needs stride 1 and equal widths
 * classifier  global pooling, dropout, linear layer
 * fused_mb    EfficientNetV2 Fused-MBConv: dense k x k expansion, 1 x 1 projection
 * uib         MobileNetV4 universal inverted bottleneck: optional depthwise before and after the expansion */
#define SQ_BLOCK_KIND_LIST(KIND, BUILT_IN)                                                                             \
    KIND(CONV, conv)                                                                                                   \
    KIND(SHUFFLE, shuffle)                                                                                             \
    KIND(XCEPTION, xception)                                                                                           \
    KIND(MB, mb)                                                                                                       \
    KIND(SEP, sep)                                                                                                     \
    KIND(SKIP, skip)                                                                                                   \
    BUILT_IN(CLASSIFIER, classifier)                                                                                   \
    KIND(FUSED_MB, fused_mb)                                                                                           \
    KIND(UIB, uib)

#define SQ_BLOCK_CONSTANT(constant, word) SQ_BLOCK_##constant,
typedef enum { SQ_BLOCK_KIND_LIST(SQ_BLOCK_CONSTANT, SQ_BLOCK_CONSTANT) SQ_BLOCK_KINDS } sq_block_kind;

enum { SQ_NAME_BYTES = 64, SQ_MAX_LAYERS = 96, SQ_MAX_CHOICES = 64 };

/* One operator of the space. For its text form, choice.c has one row per field. */
typedef struct {
    char name[SQ_NAME_BYTES]; /* "shuffle_5x5"; unique in the space */
    sq_block_kind kind;
    int kernel;       /* odd, 1..7; of uib: the larger one of start_kernel and mid_kernel, at least 1 */
    int start_kernel; /* of uib: 0 (none), 3, 5 or 7; of other kinds 0 */
    int mid_kernel;   /* of uib: 0 (none), 3, 5 or 7; of other kinds 0 */
    double expansion; /* middle channels = expansion * c_in; of shuffle and xception: expansion * c_out / 2 */
    bool has_se;
    double se_ratio; /* hidden channels of squeeze-and-excitation = divisible(se_ratio * channels) */
    sq_activation gate_activation;
    sq_activation activation; /* SQ_ACTIVATIONS: the layer's activation */
} sq_choice;

typedef struct {
    int h_in, w_in, h_out, w_out;
    int stride;
    int c_in, c_out;                /* used widths, after rounding */
    int c_requested;                /* the width in the space file, before rounding */
    int pitch_in, pitch_out;        /* stored channels of the boundaries, >= c */
    bool is_split_in, is_split_out; /* see sq_slot */
    sq_activation activation;
    int choice_count;
    int choices[SQ_MAX_CHOICES]; /* indices into sq_space.choices */
    int searched_index;          /* position in an architecture's tuple, or SQ_NONE if there is only one choice */
} sq_layer;

/* ROUND: widths are multiples of 8. PAD: stored channels are padded to a multiple of 8. KEEP: neither. */
typedef enum { SQ_WIDTHS_ROUND, SQ_WIDTHS_PAD, SQ_WIDTHS_KEEP } sq_widths;
typedef enum { SQ_NAMES_SPOS, SQ_NAMES_PROXYLESS } sq_naming; /* PyTorch module paths of the published networks */
typedef enum { SQ_INIT_SPOS, SQ_INIT_HE } sq_init;

typedef struct {
    char name[SQ_NAME_BYTES];
    char path[1024];   /* the file it came from */
    char source[1024]; /* publication or project that defined the space */
    int resolution, classes;
    sq_widths widths;
    sq_naming naming;
    sq_init init;
    bool is_affine;          /* the supernet's norms have gamma and beta; a single path (--arch) always has them */
    float epsilon, momentum; /* of the norms; momentum is the weight of the new batch */
    float dropout;
    bool has_bias; /* of the classifier */
    int choice_count;
    sq_choice choices[SQ_MAX_CHOICES];
    int layer_count, searched_count;
    sq_layer layers[SQ_MAX_LAYERS];
} sq_space;

/* Reads a space file. resolution, classes: if > 0, they replace the values of the file. On failure *out is unchanged,
 * and the error text names the file, the line or key, and the found and the expected value. For an unknown key, it
 * names the most similar known key. */
SQ_MUST_USE sq_status sq_space_read(sq_space **out, const char *path, int resolution, int classes);
void sq_space_free(sq_space *space); /* accepts NULL */

/* The space that contains only one path of `space`: every layer has one choice, and norms are affine. */
SQ_MUST_USE sq_status sq_space_single(sq_space **out, const sq_space *space, const int *path);

/* The space whose layer l has the choices numbers[l][0 .. counts[l] - 1] of layer l of `space`, in that order. Numbers
 * are in [0, layers[l].choice_count) and unique. name: name of the new space. */
SQ_MUST_USE sq_status sq_space_restrict(sq_space **out, const sq_space *space, const char *name, const int *counts,
                                        const int (*numbers)[SQ_MAX_CHOICES]);

/* Writes a file that reads back as this space. The file has the choices that some layer uses, and one row per layer.
 * comment: lines for the top of the file, without '#'; NULL: none. */
SQ_MUST_USE sq_status sq_space_write(const sq_space *space, const char *comment, const char *path);

/* Hash of all fields that determine shapes and names. Checkpoints store it. */
uint64_t sq_space_hash(const sq_space *space);

/* One block: choice `choice` of layer `layer`. */
typedef struct {
    const sq_space *space;
    int layer, choice;
} sq_block_id;

const sq_layer *sq_block_layer(const sq_block_id *block);
const sq_choice *sq_block_choice(const sq_block_id *block);
/* The choice's activation if it has one, else the layer's. */
sq_activation sq_block_activation(const sq_block_id *block);

/* Rounds `width` to a multiple of 8 that is at least 90 % of `width` (MobileNet's make_divisible). */
int sq_divisible(double width);

/* Returns a width by the space's rule: sq_divisible under ROUND, the nearest integer under PAD and KEEP. */
int sq_space_width(const sq_space *space, double width);
/* Returns the number of stored channels for c channels: the next multiple of 8 under PAD, else c. */
int sq_space_pitch(const sq_space *space, int c);

/* ---- Paths: int path[layer_count], path[l] in [0, layers[l].choice_count) ---- */

/* Reads an architecture: a SPOS tuple "(2, 1, 0)" or "2,1,0", NNI JSON {"LayerChoice1": "2", ...}, or the name of a
 * file that contains a tuple, NNI JSON or an exported arch.json. An architecture has one number per searched layer.
 * SQ_INVALID names the wrong number. */
SQ_MUST_USE sq_status sq_arch_read(const sq_space *space, const char *text, int *path);
/* Makes a path from one number per searched layer; other layers have one choice. Returns SQ_NONE, or the first layer
 * whose number is out of range. In that case path[layer] is that number, and later elements are not written. */
int sq_arch_path(const sq_space *space, const int *numbers, int *path);
/* Writes the numbers of the searched layers as "(2, 1, 0, ...)", truncated to `bytes`. Returns the full length, like
 * snprintf. */
int sq_arch_print(const sq_space *space, const int *path, char *text, size_t bytes);
/* Like sq_arch_print, but writes NNI JSON with a newline at the end. */
int sq_arch_print_nni(const sq_space *space, const int *path, char *text, size_t bytes);

#endif
