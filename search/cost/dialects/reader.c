/* Defines the functions that the readers of all dialects share. */
#include "search/cost/dialects/reader.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LARGEST_SIZE = 1 << 24 };
#define LARGEST_MS  1e9
#define SMALLEST_MS 1e-9

/* is_share: the value is a part of a fit, which may be 0 or negative. */
static sq_status check_value(const char *where, double value, bool is_share)
{
    if (!isfinite(value) || fabs(value) > LARGEST_MS || (!is_share && value < SMALLEST_MS))
        return sq_fail(SQ_INVALID, "%s: %g, expected a finite number%s", where, value, is_share ? "" : " above 0");
    return SQ_OK;
}

/* Refuses keys that table.csv cannot hold. */
static sq_status check_key(const char *where, const sq_block_key *key)
{
    const int sizes[] = {key->h, key->w, key->c_in, key->c_out, key->kernel, key->stride, key->mid + 1, key->se + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] < 1 || sizes[i] > LARGEST_SIZE)
            return sq_fail(SQ_INVALID, "%s: a block of %d x %d pixels, %d to %d to %d channels, kernel %d, stride %d",
                           where, key->h, key->w, key->c_in, key->mid, key->c_out, key->kernel, key->stride);
    return SQ_OK;
}

sq_status sq_dialect_add(sq_dialect_input *input, const char *where, const sq_block_key *key, const sq_block_time *time)
{
    sq_block_time t = *time;
    t.mean *= input->unit;
    t.deviation *= input->unit;
    SQ_TRY(check_value(where, t.mean, false));
    SQ_TRY(check_value(where, t.deviation, true));
    SQ_TRY(check_key(where, key));
    input->report->rows++;
    input->report->read++;
    return sq_latency_add(input->latency, key, &t);
}

sq_status sq_dialect_add_layer(sq_dialect_input *input, const char *where, int layer, int choice, double value)
{
    const sq_block_time time = sq_block_time_of(value * input->unit, 0, 1);
    SQ_TRY(check_value(where, time.mean, true));
    input->report->rows++;
    input->report->read++;
    return sq_latency_add_layer(input->latency, layer, choice, &time);
}

sq_status sq_dialect_add_base(sq_dialect_input *input, const char *where, double value)
{
    SQ_TRY(check_value(where, value, true));
    input->report->rows++;
    input->report->read++;
    input->latency->info.base_ms += value * input->unit;
    return SQ_OK;
}

void sq_dialect_leave_out(sq_dialect_input *input, const char *kind)
{
    sq_dialect_report *r = input->report;
    int i = 0;
    r->rows++;
    r->left_out++;
    while (i < r->kind_count && strncmp(r->kinds[i].text, kind, sizeof r->kinds[i].text - 1) != 0)
        i++;
    if (i == SQ_DIALECT_KINDS)
        i--;
    if (i == r->kind_count)
        (void)snprintf(r->kinds[r->kind_count++].text, sizeof r->kinds[i].text, "%s",
                       i == SQ_DIALECT_KINDS - 1 ? "others" : kind);
    r->kinds[i].count++;
}

bool sq_dialect_takes_near(sq_dialect_input *input, const char *kind)
{
    if (input->options->takes_near)
        input->report->near++;
    else
        sq_dialect_leave_out(input, kind);
    return input->options->takes_near;
}

sq_activation sq_dialect_activation(const char *name)
{
    static const char *const hswish[] = {"hard_swish", "h_swish", "hardswish"};
    for (size_t i = 0; i < sizeof hswish / sizeof *hswish; i++)
        if (strcmp(name, hswish[i]) == 0)
            return SQ_HSWISH;
    return sq_activation_find(name);
}
