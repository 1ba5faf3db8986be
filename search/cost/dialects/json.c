/* Reads tables in JSON: nn-Meter's blocks, and, at the end of this file, Single-Path NAS's layers. The blocks are an
 * object {"<kind>_<numbers>": milliseconds}:
 *
 *     firstconv_224_3_16_2_3                     h, c_in, c_out, stride, kernel               ElasticViT space, TFLite
 *     conv_28_48_48_6_1_hard_swish_3_se          h, c_in, c_out, expansion, stride, activation, kernel, se or nose
 *     MobileNetV2ResBlock_56_32_32_3_6_1_relu6   h, c_in, c_out, kernel, expansion, stride, activation    SpaceEvo,
 * int8
 *
 * h is the side of the square input. The files also have Transformer and ResNet blocks, which are left out. Sources:
 * microsoft/nn-Meter, branches dev/hybrid-transformer and dev/quantize-predictor (keys); SpaceEvo,
 * modules/modeling/blocks (the layers of each block). */
#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "search/cost/dialects/reader.h"

enum { KEY_BYTES = 128, WHERE_BYTES = 1300, KIND_BYTES = 96, LARGEST = 1 << 20 };

typedef enum { READ, LEFT_OUT, BROKEN } outcome;

typedef struct {
    int h, c_in, c_out, kernel, stride;
    double expansion;
    char activation[24], se[8];
} numbers;

static bool is_sound(const numbers *n)
{
    return n->h > 0 && n->h < LARGEST && n->c_in > 0 && n->c_in < LARGEST && n->c_out > 0 && n->c_out < LARGEST &&
           n->kernel > 0 && n->kernel < 64 && n->stride > 0 && n->stride < 64 && n->expansion >= 0 && n->expansion < 64;
}

static sq_block_key key_of(sq_block_kind kind, const numbers *n)
{
    return (sq_block_key){.kind = kind,
                          .h = n->h,
                          .w = n->h,
                          .c_in = n->c_in,
                          .c_out = n->c_out,
                          .kernel = n->kernel,
                          .stride = n->stride,
                          .activation = sq_dialect_activation(n->activation)};
}

/* Returns the key of an inverted bottleneck. The block has make_divisible(c_in * expansion) channels inside, and
 * make_divisible(mid / 4) channels in the squeeze. SpaceEvo's modules and MobileNetV3 have the same numbers. */
static sq_block_key bottleneck(const numbers *n, bool has_se)
{
    sq_block_key key = key_of(SQ_BLOCK_MB, n);
    key.mid = sq_divisible(n->c_in * n->expansion);
    key.se = has_se ? sq_divisible(key.mid / 4.0) : 0;
    return key;
}

/* ---- One row per kind of block ---- */

/* The key of the stem has no activation. The stem of the ElasticViT space uses hard_swish. */
static outcome read_firstconv(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    numbers n = {.activation = "hswish"};
    char tail;
    (void)input;
    if (sscanf(text, "firstconv_%7d_%7d_%7d_%3d_%3d%c", &n.h, &n.c_in, &n.c_out, &n.stride, &n.kernel, &tail) != 5)
        return BROKEN;
    *key = key_of(SQ_BLOCK_CONV, &n);
    return is_sound(&n) ? READ : BROKEN;
}

static outcome read_conv(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    numbers n = {.h = 0};
    int used = 0;
    char tail;
    if (sscanf(text, "conv_%7d_%7d_%7d_%7lf_%3d_%n", &n.h, &n.c_in, &n.c_out, &n.expansion, &n.stride, &used) != 5 ||
        !used)
        return BROKEN;
    const char *number = text + used; /* the activation, which may contain underscores, ends before the next number */
    while (*number && !(*number == '_' && isdigit((unsigned char)number[1])))
        number++;
    (void)snprintf(n.activation, sizeof n.activation, "%.*s", (int)(number - (text + used)), text + used);
    if (sscanf(number, "_%3d_%7[a-z]%c", &n.kernel, n.se, &tail) != 2 || !is_sound(&n))
        return BROKEN;
    const bool has_se = strcmp(n.se, "se") == 0;
    if (!has_se && strcmp(n.se, "nose") != 0)
        return BROKEN;
    *key = bottleneck(&n, has_se);
    if (key->activation != SQ_ACTIVATIONS)
        return READ;
    char kind[KIND_BYTES];
    (void)snprintf(kind, sizeof kind, "conv: activation %s", n.activation);
    sq_dialect_leave_out(input, kind);
    return LEFT_OUT;
}

/* Reads a key of SpaceEvo: h, c_in, c_out, kernel, expansion (None: the block has none), stride, activation. */
static bool read_block(const char *text, numbers *n)
{
    char expansion[8], tail;
    const char *from = strchr(text, '_');
    *n = (numbers){.h = 0};
    if (!from || sscanf(from, "_%7d_%7d_%7d_%3d_%7[^_]_%3d_%23[a-z0-9_]%c", &n->h, &n->c_in, &n->c_out, &n->kernel,
                        expansion, &n->stride, n->activation, &tail) != 7)
        return false;
    return strcmp(expansion, "None") == 0 || sscanf(expansion, "%7lf%c", &n->expansion, &tail) == 1;
}

static outcome read_first_or_last(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    numbers n;
    (void)input;
    if (!read_block(text, &n) || !is_sound(&n))
        return BROKEN;
    *key = key_of(SQ_BLOCK_CONV, &n);
    return key->activation == SQ_ACTIVATIONS ? BROKEN : READ;
}

/* LogitsBlock is a linear layer on the pooled output of FeatureMixBlock. It corresponds to Squall's classifier on an
 * input of one pixel. */
static outcome read_logits(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    numbers n;
    (void)input;
    if (!read_block(text, &n))
        return BROKEN;
    n.kernel = n.stride = 1; /* as in a space's classifier; the file has 0 for both */
    if (!is_sound(&n))
        return BROKEN;
    *key = key_of(SQ_BLOCK_CLASSIFIER, &n);
    key->activation = SQ_LINEAR;
    return READ;
}

/* SpaceEvo's block always has a shortcut. If the shape changes, the shortcut is a 1 x 1 convolution, which Squall's
 * block lacks. */
static outcome read_residual(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    numbers n;
    if (!read_block(text, &n) || !is_sound(&n))
        return BROKEN;
    *key = bottleneck(&n, strncmp(text, "MobileNetV3", 11) == 0);
    if (key->activation == SQ_ACTIVATIONS || n.expansion <= 0)
        return BROKEN;
    if (n.stride == 1 && n.c_in == n.c_out)
        return READ;
    return sq_dialect_takes_near(input, strncmp(text, "MobileNetV3", 11) == 0
                                            ? "MobileNetV3ResBlock with a convolution in its shortcut"
                                            : "MobileNetV2ResBlock with a convolution in its shortcut")
               ? READ
               : LEFT_OUT;
}

/* MobileNetV1DualBlock has two separable convolutions and a shortcut. Squall's block kind sep has no shortcut, so these
 * rows are read only with takes_near. */
static outcome read_dual(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    numbers n;
    if (!read_block(text, &n) || !is_sound(&n))
        return BROKEN;
    *key = key_of(SQ_BLOCK_SEP, &n);
    if (key->activation == SQ_ACTIVATIONS)
        return BROKEN;
    return sq_dialect_takes_near(input, "MobileNetV1DualBlock") ? READ : LEFT_OUT;
}

static const struct {
    const char *name;
    outcome (*read)(sq_dialect_input *input, const char *text, sq_block_key *key);
} kinds[] = {
    {"firstconv", read_firstconv},          {"conv", read_conv},
    {"FirstConvBlock", read_first_or_last}, {"FinalExpandBlock", read_first_or_last},
    {"LogitsBlock", read_logits},           {"MobileNetV1DualBlock", read_dual},
    {"MobileNetV2ResBlock", read_residual}, {"MobileNetV3ResBlock", read_residual},
};

static outcome read_key(sq_dialect_input *input, const char *text, sq_block_key *key)
{
    const size_t length = strcspn(text, "_");
    char name[KIND_BYTES];
    if (!text[length] || !isalpha((unsigned char)*text) || length >= sizeof name)
        return BROKEN;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, text, length) == 0)
            return kinds[i].read(input, text, key);
    (void)snprintf(name, sizeof name, "%.*s", (int)length, text);
    sq_dialect_leave_out(input, name);
    return LEFT_OUT;
}

static sq_status read_object(sq_dialect_input *input, json_t *object)
{
    const char *text;
    json_t *value;
    json_object_foreach(object, text, value)
    {
        char where[WHERE_BYTES];
        sq_block_key key;
        (void)snprintf(where, sizeof where, "%.1000s: '%.200s'", input->path, text);
        if (!json_is_number(value))
            return sq_fail(SQ_INVALID, "%s: expected a number of milliseconds", where);
        const outcome read = read_key(input, text, &key);
        if (read == BROKEN)
            return sq_fail(SQ_INVALID, "%s: expected a block's kind, then its numbers, as nn-Meter writes it", where);
        const sq_block_time time = sq_block_time_of(json_number_value(value), 0, 1);
        if (read == READ)
            SQ_TRY(sq_dialect_add(input, where, &key, &time));
    }
    return SQ_OK;
}

static sq_status parse(const sq_dialect_input *input, json_t **out)
{
    json_error_t error;
    *out = json_loads(input->text, JSON_REJECT_DUPLICATES, &error);
    if (!*out)
        return sq_fail(SQ_INVALID, "%s:%d: %s", input->path, error.line, error.text);
    if (json_is_object(*out))
        return SQ_OK;
    json_decref(*out);
    return sq_fail(SQ_INVALID, "%s: expected a JSON object", input->path);
}

static sq_status read_nnmeter(sq_dialect_input *input)
{
    json_t *object = NULL;
    SQ_TRY(parse(input, &object));
    const sq_status status = read_object(input, object);
    json_decref(object);
    return status;
}

/* Returns the first character of the first key of a JSON object; 0: the text is not an object. */
static char first_of_key(const char *text)
{
    text += strspn(text, " \t\r\n");
    if (*text++ != '{')
        return 0;
    text += strspn(text, " \t\r\n");
    return (char)(*text == '"' ? text[1] : 0);
}

static bool fits_nnmeter(const char *text)
{
    return isalpha((unsigned char)first_of_key(text)) != 0;
}

const sq_dialect sq_dialect_nnmeter = {
    .name = "nnmeter",
    .summary = "nn-Meter's block tables: '{\"conv_28_48_48_6_1_hard_swish_3_se\": ms}' in JSON",
    .fits = fits_nnmeter,
    .read = read_nnmeter,
};

/* ---- Single-Path NAS: {"layer": {"0": k3 e3, "1": k3 e6, "2": k5 e3, "3": k5 e6}} ----
 *
 * Layers 1 to 20 are searched. The constant single_path_base includes layers 0 and 21, which are the stem and the head.
 * Source: dstamoulis/single-path-nas, nas-search/pixel1_runtime_model.json and the code that reads it. As a check, the
 * network with k3 e3 in all layers takes 65.69 ms. */

enum { FIRST_LAYER = 1, LAST_LAYER = 20, CHOICES = 4 };
static const double single_path_base = 19.5999, single_path_skip = 0.7; /* milliseconds, from Single-Path NAS's code */

static sq_status read_choices(sq_dialect_input *input, int layer, json_t *choices)
{
    char where[WHERE_BYTES];
    const bool is_searched = layer >= FIRST_LAYER && layer <= LAST_LAYER;
    for (int c = 0; c < CHOICES; c++) {
        const char number[2] = {(char)('0' + c), 0};
        const json_t *value = json_object_get(choices, number);
        (void)snprintf(where, sizeof where, "%.1000s: layer '%d', choice '%d'", input->path, layer, c);
        if (!json_is_number(value))
            return sq_fail(SQ_INVALID, "%s: expected a number of milliseconds", where);
        if (is_searched)
            SQ_TRY(sq_dialect_add_layer(input, where, layer - FIRST_LAYER, c, json_number_value(value)));
        else
            sq_dialect_leave_out(input, "layers that the constant includes");
    }
    if (!is_searched)
        return SQ_OK;
    const sq_block_time skip = sq_block_time_of(single_path_skip, 0, 1);
    return sq_latency_add_layer(input->latency, layer - FIRST_LAYER, CHOICES, &skip); /* no time in the file */
}

static sq_status read_layers(sq_dialect_input *input, json_t *object)
{
    for (int layer = 0; layer <= LAST_LAYER + 1; layer++) {
        char number[12];
        (void)snprintf(number, sizeof number, "%d", layer);
        json_t *choices = json_object_get(object, number);
        if (!json_is_object(choices))
            return sq_fail(SQ_INVALID, "%s: no layer '%d', expected 0 to %d", input->path, layer, LAST_LAYER + 1);
        SQ_TRY(read_choices(input, layer, choices));
    }
    input->latency->info.base_ms = single_path_base;
    return SQ_OK;
}

static sq_status read_singlepath(sq_dialect_input *input)
{
    json_t *object = NULL;
    SQ_TRY(parse(input, &object));
    const sq_status status = read_layers(input, object);
    json_decref(object);
    return status;
}

static bool fits_singlepath(const char *text)
{
    return isdigit((unsigned char)first_of_key(text)) != 0;
}

const sq_dialect sq_dialect_singlepath = {
    .name = "singlepath",
    .summary = "Single-Path NAS: '{\"layer\": {\"choice\": ms}}' in JSON, with the code's constants",
    .space = "singlepath",
    .fits = fits_singlepath,
    .read = read_singlepath,
};
