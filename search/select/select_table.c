/* Writes the files of a selection: a space file and a table. */
#include "search/select/select_table.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "supernet/space/block_kinds.h"

sq_status sq_select_write(const sq_selection *selection, const char *path)
{
    const sq_device_info *d = &selection->device;
    const sq_select_options *o = &selection->options;
    char comment[2048], rules[128];
    sq_space *space = NULL;
    sq_device_constraints_print(&d->constraints, rules, sizeof rules);
    (void)snprintf(comment, sizeof comment,
                   "The operators of %s that squall select keeps for %s: %d per layer, best first.\n"
                   "device: %s%s%s, batch %d, %smeasured%s%s\n"
                   "score: (multiply-adds in M)^%g * (parameters in k)^%g / milliseconds%s",
                   selection->space->name, d->name, o->keep, *d->runtime ? d->runtime : "runtime not stated",
                   *d->dtype ? ", " : "", d->dtype, d->batch, d->is_measured ? "" : "not ",
                   *rules ? "; its rules: no " : "", rules, o->a, o->b,
                   o->is_per_family ? "; at least one operator of each family" : "");
    SQ_TRY(sq_select_space(&space, selection));
    const sq_status status = sq_space_write(space, comment, path);
    sq_space_free(space);
    return status;
}

void sq_select_explain(const sq_selection *selection, const sq_select_operator *o, char *text, size_t bytes)
{
    if (o->reason == SQ_SELECT_RULE)
        (void)snprintf(text, bytes, "rule: no %s", sq_operator_property_name(o->rule));
    else if (o->reason != SQ_SELECT_RANK)
        (void)snprintf(text, bytes, "%s", o->reason == SQ_SELECT_FAMILY ? "one of its family" : "no operator");
    else if (o->is_kept)
        (void)snprintf(text, bytes, "rank %d", o->rank);
    else
        (void)snprintf(text, bytes, "rank %d of %d", o->rank, selection->ranked_count[o->layer]);
}

/* Quotes the field if RFC 4180 requires it. */
static void put_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        (void)fputs(text, file);
        return;
    }
    (void)fputc('"', file);
    for (; *text; text++)
        (void)fprintf(file, *text == '"' ? "\"\"" : "%c", *text);
    (void)fputc('"', file);
}

static void put_operator(FILE *file, const sq_selection *s, const sq_select_operator *o)
{
    const sq_choice *c = sq_select_choice(s, o);
    char why[64];
    (void)fprintf(file, "%d,", o->layer);
    put_field(file, c->name);
    (void)fprintf(file, ",%s,", sq_block_name(sq_select_family(c->kind)));
    if (o->reason == SQ_SELECT_SKIP)
        (void)fputs(",,,,,", file);
    else
        (void)fprintf(file, "%.9g,%.9g,%.9g,%.9g,%.9g,", 1e-6 * o->macs, 1e-3 * o->parameters, o->ms, o->capacity,
                      o->score);
    if (o->rank)
        (void)fprintf(file, "%d", o->rank);
    sq_select_explain(s, o, why, sizeof why);
    (void)fprintf(file, ",%s,%s\n", o->is_kept ? "yes" : "no", why);
}

sq_status sq_select_write_table(const sq_selection *selection, const char *path)
{
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    (void)fputs("layer,operator,family,macs_m,parameters_k,latency_ms,capacity,score,rank,kept,why\n", w.stream);
    for (int i = 0; i < selection->first[selection->space->layer_count]; i++)
        put_operator(w.stream, selection, &selection->operators[i]);
    return sq_file_finish(&w, path);
}
