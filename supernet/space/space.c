/* Makes the chain of layers of a space file, computes every shape, and refuses impossible spaces. */
#include "supernet/space/space.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/space/block_kinds.h"
#include "supernet/space/space_yaml.h"

enum { WIDEST = 16384, LARGEST_RESOLUTION = 4096, MOST_CLASSES = 1 << 20 };

const sq_layer *sq_block_layer(const sq_block_id *block)
{
    return &block->space->layers[block->layer];
}

const sq_choice *sq_block_choice(const sq_block_id *block)
{
    return &block->space->choices[sq_block_layer(block)->choices[block->choice]];
}

sq_activation sq_block_activation(const sq_block_id *block)
{
    const sq_activation own = sq_block_choice(block)->activation;
    return own == SQ_ACTIVATIONS ? sq_block_layer(block)->activation : own;
}

int sq_divisible(double width)
{
    int rounded = (int)(width + 4) / 8 * 8;
    rounded = rounded < 8 ? 8 : rounded;
    return rounded < 0.9 * width ? rounded + 8 : rounded;
}

int sq_space_width(const sq_space *space, double width)
{
    const int nearest = (int)floor(width + 0.5);
    return space->widths == SQ_WIDTHS_ROUND ? sq_divisible(width) : nearest < 1 ? 1 : nearest;
}

int sq_space_pitch(const sq_space *space, int c)
{
    return space->widths == SQ_WIDTHS_PAD ? (c + 7) / 8 * 8 : c;
}

/* ---- Choices ---- */

static sq_status read_choice(sq_space *space, const sq_raw_choice *raw)
{
    for (int i = 0; i < space->choice_count; i++)
        if (strcmp(space->choices[i].name, raw->name) == 0)
            return sq_fail(SQ_INVALID, "%s: choices: '%s' is defined twice", space->path, raw->name);
    SQ_TRY(sq_choice_read(raw, space->path, &space->choices[space->choice_count]));
    space->choice_count++;
    return SQ_OK;
}

static int find_choice(const sq_space *space, const char *name)
{
    for (int i = 0; i < space->choice_count; i++)
        if (strcmp(space->choices[i].name, name) == 0)
            return i;
    return SQ_NONE;
}

/* ---- Layers ---- */

static sq_status add_choice(const sq_space *space, sq_layer *l, int layer, const char *name, bool is_explicit)
{
    const int index = find_choice(space, name);
    if (index == SQ_NONE) {
        const char *names[SQ_MAX_CHOICES];
        char hint[SQ_TEXT_SUGGESTION];
        for (int i = 0; i < space->choice_count; i++)
            names[i] = space->choices[i].name;
        return sq_fail(SQ_INVALID, "%s: layer %d: unknown choice '%s'%s", space->path, layer, name,
                       sq_text_suggestion(hint, sizeof hint, name, names, space->choice_count));
    }
    const sq_choice *c = &space->choices[index];
    const sq_block_kind_row *row = sq_block_kind_of(c->kind);
    const char *why = row->obstacle ? row->obstacle(l, c) : NULL;
    if (why && is_explicit && !row->is_optional)
        return sq_fail(SQ_INVALID, "%s: layer %d (%d to %d channels, stride %d): choice '%s': %s", space->path, layer,
                       l->c_in, l->c_out, l->stride, name, why);
    if (why)
        return SQ_OK; /* the choice is left out of this layer */
    for (int i = 0; i < l->choice_count; i++)
        if (l->choices[i] == index)
            return sq_fail(SQ_INVALID, "%s: layer %d: choice '%s' is named twice", space->path, layer, name);
    l->choices[l->choice_count++] = index;
    return SQ_OK;
}

static sq_status fill_choices(const sq_space *space, const sq_raw_space *raw, const sq_raw_layer *from, sq_layer *l,
                              int layer)
{
    const bool is_explicit = from->choices_count > 0;
    const unsigned count = is_explicit           ? from->choices_count
                           : raw->searched_count ? raw->searched_count
                                                 : raw->choices_count;
    for (unsigned i = 0; i < count; i++) {
        const char *name = is_explicit           ? from->choices[i]
                           : raw->searched_count ? raw->searched[i]
                                                 : raw->choices[i].name;
        SQ_TRY(add_choice(space, l, layer, name, is_explicit));
    }
    if (l->choice_count == 0)
        return sq_fail(SQ_INVALID, "%s: layer %d (%d to %d channels, stride %d): no choice fits this layer",
                       space->path, layer, l->c_in, l->c_out, l->stride);
    return SQ_OK;
}

/* Returns a layer whose input is the output of the last layer so far. */
static sq_layer next_layer(const sq_space *space, int width, int stride)
{
    const sq_layer *before = space->layer_count ? &space->layers[space->layer_count - 1] : NULL;
    sq_layer l = {.stride = stride, .c_requested = width, .searched_index = SQ_NONE};
    l.h_in = before ? before->h_out : space->resolution;
    l.w_in = before ? before->w_out : space->resolution;
    l.c_in = before ? before->c_out : 3;
    l.h_out = (l.h_in + stride - 1) / stride;
    l.w_out = (l.w_in + stride - 1) / stride;
    l.c_out = sq_space_width(space, width);
    return l;
}

static sq_status read_layer(sq_space *space, const sq_raw_space *raw, const sq_raw_layer *from)
{
    const int repeat = from->repeat ? from->repeat : 1, stride = from->stride ? from->stride : 1;
    if (from->width < 1 || from->width > WIDEST)
        return sq_fail(SQ_INVALID, "%s: layer %d: width %d, expected 1..%d", space->path, space->layer_count,
                       from->width, WIDEST);
    if (stride != 1 && stride != 2)
        return sq_fail(SQ_INVALID, "%s: layer %d: stride %d, expected 1 or 2", space->path, space->layer_count, stride);
    if (repeat < 1 || repeat > SQ_MAX_LAYERS)
        return sq_fail(SQ_INVALID, "%s: layer %d: repeat %d, expected 1..%d", space->path, space->layer_count, repeat,
                       SQ_MAX_LAYERS);
    for (int r = 0; r < repeat; r++) {
        if (space->layer_count >= SQ_MAX_LAYERS - 1)
            return sq_fail(SQ_INVALID, "%s: more than %d layers", space->path, SQ_MAX_LAYERS - 1);
        sq_layer l = next_layer(space, from->width, r == 0 ? stride : 1);
        l.activation = from->activation ? *from->activation : raw->activation ? *raw->activation : SQ_RELU;
        SQ_TRY(fill_choices(space, raw, from, &l, space->layer_count));
        if (l.stride == 2 && l.h_in < 2)
            return sq_fail(SQ_INVALID, "%s: layer %d: stride 2 on %d x %d pixels", space->path, space->layer_count,
                           l.h_in, l.w_in);
        l.searched_index = l.choice_count > 1 ? space->searched_count++ : SQ_NONE;
        space->layers[space->layer_count++] = l;
    }
    return SQ_OK;
}

static void add_classifier(sq_space *space)
{
    sq_choice *c = &space->choices[space->choice_count];
    *c = (sq_choice){.name = "classifier",
                     .kind = SQ_BLOCK_CLASSIFIER,
                     .kernel = 1,
                     .expansion = 1,
                     .se_ratio = 0.25,
                     .gate_activation = SQ_SIGMOID,
                     .activation = SQ_LINEAR};
    sq_layer l = next_layer(space, space->classes, 1);
    l.h_out = l.w_out = 1;
    l.c_out = space->classes;
    l.activation = SQ_LINEAR;
    l.choice_count = 1;
    l.choices[0] = space->choice_count++;
    space->layers[space->layer_count++] = l;
}

/* The input of a layer is stored split if every choice of the layer reads halves. An operation that reads one half then
 * loads no channels of the other half. */
static bool is_split(const sq_space *space, const sq_layer *l)
{
    for (int i = 0; i < l->choice_count; i++)
        if (l->stride != 1 || !sq_block_kind_of(space->choices[l->choices[i]].kind)->reads_halves)
            return false;
    return true;
}

static void place_boundaries(sq_space *space)
{
    for (int i = 0; i < space->layer_count; i++) {
        sq_layer *l = &space->layers[i];
        l->is_split_in = is_split(space, l);
        l->pitch_in = i == 0           ? l->c_in
                      : l->is_split_in ? 2 * sq_space_pitch(space, l->c_in / 2)
                                       : sq_space_pitch(space, l->c_in);
        if (i > 0) {
            space->layers[i - 1].is_split_out = l->is_split_in;
            space->layers[i - 1].pitch_out = l->pitch_in;
        }
    }
    space->layers[space->layer_count - 1].pitch_out = space->classes;
}

/* ---- Whole files ---- */

static sq_status read_header(sq_space *space, const sq_raw_space *raw, const char *path, int resolution, int classes)
{
    (void)snprintf(space->path, sizeof space->path, "%s", path);
    (void)snprintf(space->name, sizeof space->name, "%s", raw->name);
    (void)snprintf(space->source, sizeof space->source, "%s", raw->source ? raw->source : "");
    space->resolution = resolution > 0 ? resolution : raw->resolution;
    space->classes = classes > 0 ? classes : raw->classes;
    space->widths = raw->widths;
    space->naming = raw->naming;
    space->init = raw->init;
    space->is_affine = raw->norm.affine ? *raw->norm.affine : true;
    space->epsilon = raw->norm.epsilon != 0 ? (float)raw->norm.epsilon : 1e-5f;
    space->momentum = raw->norm.momentum != 0 ? (float)raw->norm.momentum : 0.1f;
    space->dropout = (float)raw->dropout;
    space->has_bias = raw->classifier_bias;
    if (space->resolution < 1 || space->resolution > LARGEST_RESOLUTION)
        return sq_fail(SQ_INVALID, "%s: resolution %d, expected 1..%d", path, space->resolution, LARGEST_RESOLUTION);
    if (space->classes < 1 || space->classes > MOST_CLASSES)
        return sq_fail(SQ_INVALID, "%s: classes %d, expected 1..%d", path, space->classes, MOST_CLASSES);
    if (!(space->epsilon > 0 && space->epsilon < 1) || !(space->momentum > 0 && space->momentum <= 1))
        return sq_fail(SQ_INVALID, "%s: norm: epsilon %g, momentum %g, expected 0 < epsilon < 1, 0 < momentum <= 1",
                       path, (double)space->epsilon, (double)space->momentum);
    if (!(space->dropout >= 0 && space->dropout < 1))
        return sq_fail(SQ_INVALID, "%s: dropout %g, expected 0 <= dropout < 1", path, (double)space->dropout);
    return SQ_OK;
}

static sq_status build(sq_space *space, const sq_raw_space *raw, const char *path, int resolution, int classes)
{
    SQ_TRY(read_header(space, raw, path, resolution, classes));
    for (unsigned i = 0; i < raw->choices_count; i++)
        SQ_TRY(read_choice(space, &raw->choices[i]));
    for (unsigned i = 0; i < raw->layers_count; i++)
        SQ_TRY(read_layer(space, raw, &raw->layers[i]));
    add_classifier(space);
    place_boundaries(space);
    return SQ_OK;
}

sq_status sq_space_read(sq_space **out, const char *path, int resolution, int classes)
{
    void *raw = NULL;
    SQ_TRY(sq_yaml_load(&raw, path, &sq_space_schema));
    sq_space *space = calloc(1, sizeof *space);
    const sq_status status =
        space ? build(space, raw, path, resolution, classes) : sq_fail(SQ_NO_MEMORY, "%s: space", path);
    sq_yaml_free(raw, &sq_space_schema);
    if (status == SQ_OK)
        *out = space;
    else
        sq_space_free(space);
    return status;
}

void sq_space_free(sq_space *space)
{
    free(space);
}

sq_status sq_space_single(sq_space **out, const sq_space *space, const int *path)
{
    sq_space *single = malloc(sizeof *single);
    if (!single)
        return sq_fail(SQ_NO_MEMORY, "%s: single path", space->name);
    *single = *space;
    single->is_affine = true;
    single->searched_count = 0;
    for (int l = 0; l < single->layer_count; l++) {
        single->layers[l].choices[0] = space->layers[l].choices[path[l]];
        single->layers[l].choice_count = 1;
        single->layers[l].searched_index = SQ_NONE;
    }
    place_boundaries(single);
    *out = single;
    return SQ_OK;
}

sq_status sq_space_restrict(sq_space **out, const sq_space *space, const char *name, const int *counts,
                            const int (*numbers)[SQ_MAX_CHOICES])
{
    sq_space *restricted = malloc(sizeof *restricted);
    if (!restricted)
        return sq_fail(SQ_NO_MEMORY, "%s: restricted space", space->name);
    *restricted = *space;
    (void)snprintf(restricted->name, sizeof restricted->name, "%s", name);
    restricted->searched_count = 0;
    for (int l = 0; l < restricted->layer_count; l++) {
        sq_layer *layer = &restricted->layers[l];
        for (int i = 0; i < counts[l]; i++)
            layer->choices[i] = space->layers[l].choices[numbers[l][i]];
        layer->choice_count = counts[l];
        layer->searched_index = counts[l] > 1 ? restricted->searched_count++ : SQ_NONE;
    }
    place_boundaries(restricted);
    *out = restricted;
    return SQ_OK;
}

/* Hashes each field as text, because the padding bytes of a struct are undefined. */
uint64_t sq_space_hash(const sq_space *space)
{
    char text[256];
    int length = snprintf(text, sizeof text, "%s %d %d %d %d %d %a %a %a %d", space->name, space->resolution,
                          space->classes, (int)space->widths, (int)space->naming, space->is_affine,
                          (double)space->epsilon, (double)space->momentum, (double)space->dropout, space->has_bias);
    uint64_t hash = sq_hash(SQ_HASH_START, text, (size_t)length);
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        length = snprintf(text, sizeof text, "\n%d %d %d", layer->stride, layer->c_out, (int)layer->activation);
        hash = sq_hash(hash, text, (size_t)length);
        for (int i = 0; i < layer->choice_count; i++)
            hash = sq_choice_hash(hash, &space->choices[layer->choices[i]]);
    }
    return hash;
}
