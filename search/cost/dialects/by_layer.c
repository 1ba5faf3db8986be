/* Reads comma-separated tables by layer and operator (FBNet, TuNAS), and TF-NAS's table by block. Each table also has a
 * row for the part that all networks share:
 *
 *     layer,h_in,c_in,c_out,stride,op,<devices>    FBNet: HW-NAS-Bench's table and fits to HELP's measurements;
 *                                                  shared part: op "base"
 *     layer,op,kernel,expand,delta_ms              TuNAS's linear model; shared part: op "bias"
 *     key,mid_channels,latency_ms                  TF-NAS, keys MBInvertedResBlock_{h}_{c_in}_{se}_{c_out}_k3_s1_relu
 *
 * For FBNet and TuNAS, the rows of a layer are numbered in the order of the file, and these numbers are the choices. A
 * space can use such a table only if its choices have the same order. The values of FBNet and TuNAS are parts of a fit
 * and may be 0 or negative. */
#include <stdio.h>
#include <string.h>

#include "kernels/base/text.h"
#include "search/cost/dialects/csv.h"

#define FBNET_COLUMNS "layer,h_in,c_in,c_out,stride,op,"
#define TUNAS_COLUMNS "layer,op,kernel,expand,"
#define TFNAS_COLUMNS "key,mid_channels,"

enum { NAME_BYTES = 64 };

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static sq_status read_header(sq_csv *csv, const char *wanted, int key_fields, int *column, int *columns)
{
    if (!begins(csv->input->text, wanted))
        return sq_fail(SQ_INVALID, "%s:1: expected the header '%s...'", csv->input->path, wanted);
    (void)sq_csv_next(csv); /* the header */
    *columns = csv->count;
    return sq_csv_column(csv, key_fields, column);
}

/* ---- By layer ---- */

static sq_status read_by_layer(sq_dialect_input *input, const char *header, int key_fields, int op, const char *base)
{
    int counts[SQ_MAX_LAYERS] = {0}, column = 0, columns = 0;
    sq_csv csv = sq_csv_open(input);
    SQ_TRY(read_header(&csv, header, key_fields, &column, &columns));
    while (sq_csv_next(&csv)) {
        int64_t layer;
        double value;
        SQ_TRY(sq_csv_expect(&csv, columns));
        SQ_TRY(sq_csv_value(&csv, column, &value));
        const bool is_base = strcmp(csv.fields[op], base) == 0;
        if (!sq_text_int(csv.fields[0], is_base ? -1 : 0, SQ_MAX_LAYERS - 1, &layer))
            return sq_fail(SQ_INVALID, "%s: layer '%s', expected a whole number from 0 to %d, or op %s", csv.where,
                           csv.fields[0], SQ_MAX_LAYERS - 1, base);
        SQ_TRY(is_base ? sq_dialect_add_base(input, csv.where, value)
                       : sq_dialect_add_layer(input, csv.where, (int)layer, counts[layer]++, value));
    }
    return SQ_OK;
}

static sq_status read_fbnet(sq_dialect_input *input)
{
    return read_by_layer(input, FBNET_COLUMNS, 6, 5, "base");
}

static sq_status read_tunas(sq_dialect_input *input)
{
    return read_by_layer(input, TUNAS_COLUMNS, 4, 1, "bias");
}

static bool fits_fbnet(const char *text)
{
    return begins(text, FBNET_COLUMNS);
}

static bool fits_tunas(const char *text)
{
    return begins(text, TUNAS_COLUMNS);
}

/* ---- TF-NAS ---- */

static bool read_key(const char *text, sq_block_key *key, char activation[NAME_BYTES])
{
    return sscanf(text, "MBInvertedResBlock_%7d_%7d_%7d_%7d_k%2d_s%2d_%63s", &key->h, &key->c_in, &key->se, &key->c_out,
                  &key->kernel, &key->stride, activation) == 7 &&
           key->h > 0 && key->c_in > 0 && key->c_out > 0 && key->se >= 0 && key->kernel > 0 && key->stride > 0;
}

static sq_status read_row(sq_dialect_input *input, const sq_csv *csv, double value)
{
    char activation[NAME_BYTES], kind[NAME_BYTES + 40];
    sq_block_key key = {.kind = SQ_BLOCK_MB};
    int64_t mid;
    if (!read_key(csv->fields[0], &key, activation))
        return sq_fail(SQ_INVALID, "%s: '%s', expected base or a MBInvertedResBlock_..._k3_s1_relu", csv->where,
                       csv->fields[0]);
    if (!sq_text_int(csv->fields[1], 1, 1 << 20, &mid))
        return sq_fail(SQ_INVALID, "%s: mid_channels '%s', expected a whole number above 0", csv->where,
                       csv->fields[1]);
    key.w = key.h;
    key.mid = (int)mid;
    key.activation = sq_dialect_activation(activation);
    if (key.activation == SQ_ACTIVATIONS) {
        (void)snprintf(kind, sizeof kind, "MBInvertedResBlock: activation %s", activation);
        if (strcmp(activation, "swish") == 0) {
            if (!sq_dialect_takes_near(input, kind))
                return SQ_OK;
            key.activation = SQ_HSWISH;
        } else {
            sq_dialect_leave_out(input, kind);
            return SQ_OK;
        }
    }
    const sq_block_time time = sq_block_time_of(value, 0, 1);
    return sq_dialect_add(input, csv->where, &key, &time);
}

static sq_status read_tfnas(sq_dialect_input *input)
{
    int column = 0, columns = 0;
    sq_csv csv = sq_csv_open(input);
    SQ_TRY(read_header(&csv, TFNAS_COLUMNS, 2, &column, &columns));
    while (sq_csv_next(&csv)) {
        double value;
        SQ_TRY(sq_csv_expect(&csv, columns));
        SQ_TRY(sq_csv_value(&csv, column, &value));
        SQ_TRY(strcmp(csv.fields[0], "base") == 0 ? sq_dialect_add_base(input, csv.where, value)
                                                  : read_row(input, &csv, value));
    }
    return SQ_OK;
}

static bool fits_tfnas(const char *text)
{
    return begins(text, TFNAS_COLUMNS);
}

const sq_dialect sq_dialect_fbnet = {
    .name = "fbnet",
    .summary = "FBNet's layers: '" FBNET_COLUMNS "<devices>' in CSV (HW-NAS-Bench, HELP)",
    .space = "fbnet",
    .fits = fits_fbnet,
    .read = read_fbnet,
};
const sq_dialect sq_dialect_tunas = {
    .name = "tunas",
    .summary = "TuNAS's linear model: '" TUNAS_COLUMNS "delta_ms' in CSV",
    .space = "tunas_proxyless",
    .is_modelled = true,
    .fits = fits_tunas,
    .read = read_tunas,
};
const sq_dialect sq_dialect_tfnas = {
    .name = "tfnas",
    .summary = "TF-NAS: '" TFNAS_COLUMNS "latency_ms' in CSV",
    .fits = fits_tfnas,
    .read = read_tfnas,
};
