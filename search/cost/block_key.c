/* Makes keys of blocks from a space, prints, parses and compares keys. */
#include "search/cost/block_key.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "supernet/space/block_kinds.h"

enum { LARGEST_SIZE = 1 << 24 };

sq_block_key sq_block_key_of(const sq_space *space, int layer, int choice)
{
    const sq_block_id block = {space, layer, choice};
    const sq_layer *l = sq_block_layer(&block);
    const sq_choice *c = sq_block_choice(&block);
    const sq_block_kind_row *row = sq_block_kind_of(c->kind);
    sq_description d;
    sq_describe_block(space, layer, choice, &d);
    sq_block_key key = {.kind = c->kind,
                        .h = l->h_in,
                        .w = l->w_in,
                        .c_in = l->c_in,
                        .c_out = l->c_out,
                        .mid = row->middle(&d),
                        .kernel = row->key_kernel ? row->key_kernel(c) : c->kernel,
                        .stride = l->stride,
                        .activation = sq_block_activation(&block)};
    for (int u = 0; u < d.unit_count; u++)
        key.se = d.units[u].se_channels > key.se ? d.units[u].se_channels : key.se;
    return key;
}

int sq_block_key_print(const sq_block_key *k, char *text, size_t bytes)
{
    return snprintf(text, bytes, "%s,%d,%d,%d,%d,%d,%d,%d,%d,%s", sq_block_name(k->kind), k->h, k->w, k->c_in, k->c_out,
                    k->mid, k->kernel, k->stride, k->se, sq_activation_name(k->activation));
}

sq_status sq_block_key_parse(const char *const fields[SQ_BLOCK_KEY_FIELDS], const char *where, sq_block_key *out)
{
    static const char *const columns[SQ_BLOCK_KEY_FIELDS] = {"kind", "h",      "w",      "c_in", "c_out",
                                                             "mid",  "kernel", "stride", "se",   "act"};
    static const int least[SQ_BLOCK_KEY_FIELDS] = {0, 1, 1, 1, 1, 0, 0, 1, 0, 0};
    sq_block_key key;
    int *const numbers[SQ_BLOCK_KEY_FIELDS] = {NULL,     &key.h,      &key.w,      &key.c_in, &key.c_out,
                                               &key.mid, &key.kernel, &key.stride, &key.se,   NULL};
    char kinds[256];
    key.kind = sq_block_find(fields[0]);
    key.activation = sq_activation_find(fields[SQ_BLOCK_KEY_FIELDS - 1]);
    if (key.kind == SQ_BLOCK_KINDS)
        return sq_fail(SQ_INVALID, "%s: kind '%s', expected %s", where, fields[0],
                       sq_block_list(kinds, sizeof kinds, NULL));
    if (key.activation == SQ_ACTIVATIONS)
        return sq_fail(SQ_INVALID, "%s: act '%s', expected linear, relu, relu6, hswish, sigmoid or hsigmoid", where,
                       fields[SQ_BLOCK_KEY_FIELDS - 1]);
    for (int i = 1; i < SQ_BLOCK_KEY_FIELDS - 1; i++) {
        int64_t value;
        if (!sq_text_int(fields[i], least[i], LARGEST_SIZE, &value))
            return sq_fail(SQ_INVALID, "%s: %s '%s', expected a whole number from %d", where, columns[i], fields[i],
                           least[i]);
        *numbers[i] = (int)value;
    }
    *out = key;
    return SQ_OK;
}

int sq_block_key_compare(const sq_block_key *a, const sq_block_key *b)
{
    const int pairs[SQ_BLOCK_KEY_FIELDS][2] = {{(int)a->kind, (int)b->kind},
                                               {a->kernel, b->kernel},
                                               {a->stride, b->stride},
                                               {(int)a->activation, (int)b->activation},
                                               {a->se, b->se},
                                               {a->h, b->h},
                                               {a->w, b->w},
                                               {a->c_in, b->c_in},
                                               {a->c_out, b->c_out},
                                               {a->mid, b->mid}};
    for (int i = 0; i < SQ_BLOCK_KEY_FIELDS; i++)
        if (pairs[i][0] != pairs[i][1])
            return pairs[i][0] < pairs[i][1] ? -1 : 1;
    return 0;
}

bool sq_block_key_is_alike(const sq_block_key *a, const sq_block_key *b)
{
    return a->kind == b->kind && a->stride == b->stride && a->activation == b->activation && (a->se > 0) == (b->se > 0);
}

/* Returns the first of two kernels; 0: the block has one kernel. */
static int first_kernel(const sq_block_key *key)
{
    return key->kernel / SQ_BLOCK_FIRST_KERNEL;
}

static int last_kernel(const sq_block_key *key)
{
    return key->kernel % SQ_BLOCK_FIRST_KERNEL;
}

bool sq_block_key_is_below(const sq_block_key *a, const sq_block_key *b)
{
    return (double)a->h * a->w <= (double)b->h * b->w && a->c_in <= b->c_in && a->c_out <= b->c_out &&
           a->mid <= b->mid && first_kernel(a) <= first_kernel(b) && last_kernel(a) <= last_kernel(b) && a->se <= b->se;
}

/* Returns the absolute logarithm of the ratio of two sizes; both sizes are increased by 1 because a size may be 0. */
static double apart(int a, int b)
{
    return fabs(log((a + 1.0) / (b + 1.0)));
}

double sq_block_key_distance(const sq_block_key *a, const sq_block_key *b)
{
    return 100 * (a->kind != b->kind) + 4 * (a->stride != b->stride) + 4 * ((a->se > 0) != (b->se > 0)) +
           4 * (a->activation != b->activation) + 2 * apart(first_kernel(a), first_kernel(b)) +
           2 * apart(last_kernel(a), last_kernel(b)) + 2 * apart(a->h, b->h) + apart(a->w, b->w) +
           apart(a->c_in, b->c_in) + apart(a->c_out, b->c_out) + apart(a->mid, b->mid) + 0.5 * apart(a->se, b->se);
}
