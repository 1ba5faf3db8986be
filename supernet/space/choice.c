/* Operators of space files: parameters, their defaults, checks and text. */
#include "supernet/space/choice.h"

#include <assert.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "supernet/space/block_kinds.h"

#define COUNT(array)     (sizeof(array) / sizeof *(array))
#define OPTIONAL         CYAML_FLAG_OPTIONAL
#define POINTER_OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)

enum { LARGEST_KERNEL = 7, LARGEST_EXPANSION = 64 };

/* ---- What libcyaml reads ---- */

#define KIND(constant, word) {#word, SQ_BLOCK_##constant},
#define NOT_IN_FILES(constant, word)
static const cyaml_strval_t kinds[] = {SQ_BLOCK_KIND_LIST(KIND, NOT_IN_FILES)};
static const cyaml_strval_t gates[] = {{"sigmoid", SQ_SIGMOID}, {"hsigmoid", SQ_HSIGMOID}};
const cyaml_strval_t sq_choice_activations[SQ_CHOICE_ACTIVATIONS] = {
    {"linear", SQ_LINEAR}, {"relu", SQ_RELU}, {"relu6", SQ_RELU6}, {"hswish", SQ_HSWISH}};

static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, sq_raw_choice, name, 1, SQ_NAME_BYTES - 1),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, sq_raw_choice, value.kind, kinds, COUNT(kinds)),
    CYAML_FIELD_INT("kernel", OPTIONAL, sq_raw_choice, value.kernel),
    CYAML_FIELD_FLOAT("expansion", OPTIONAL, sq_raw_choice, value.expansion),
    CYAML_FIELD_BOOL("se", OPTIONAL, sq_raw_choice, value.has_se),
    CYAML_FIELD_FLOAT("se_ratio", OPTIONAL, sq_raw_choice, value.se_ratio),
    CYAML_FIELD_INT("start_kernel", OPTIONAL, sq_raw_choice, value.start_kernel),
    CYAML_FIELD_INT("mid_kernel", OPTIONAL, sq_raw_choice, value.mid_kernel),
    CYAML_FIELD_ENUM_PTR("gate", POINTER_OPTIONAL, sq_raw_choice, gate, gates, COUNT(gates)),
    CYAML_FIELD_ENUM_PTR("activation", POINTER_OPTIONAL, sq_raw_choice, activation, sq_choice_activations,
                         SQ_CHOICE_ACTIVATIONS),
    CYAML_FIELD_END,
};
const cyaml_schema_value_t sq_choice_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, sq_raw_choice, fields)};

/* ---- Defaults, checks, and which parameters are written ---- */

typedef enum { INTEGER, REAL, FLAG, ACTIVATION } value_type;

typedef struct {
    const char *word;
    value_type type;
    size_t at;      /* offset in sq_choice */
    double missing; /* the value if the file has none */
    bool (*is_valid)(double value);
    const char *expected; /* for the error text; NULL: every value is valid */
    bool (*is_written)(const sq_choice *choice);
    bool is_late; /* added after the first release; hashed only if the value differs from `missing` */
} parameter;

static bool is_kernel(double value)
{
    return value >= 1 && value <= LARGEST_KERNEL && (int)value % 2 == 1;
}

static bool is_kernel_or_none(double value)
{
    return value == 0 || (value >= 3 && is_kernel(value));
}

static bool is_expansion(double value)
{
    return value > 0 && value <= LARGEST_EXPANSION;
}

static bool is_ratio(double value)
{
    return value > 0 && value <= 1;
}

static bool has_two_kernels(const sq_choice *choice)
{
    return sq_block_kind_of(choice->kind)->key_kernel != NULL;
}

static bool has_one_kernel(const sq_choice *choice)
{
    return !has_two_kernels(choice);
}

static bool has_start_kernel(const sq_choice *choice)
{
    return choice->start_kernel != 0;
}

static bool has_mid_kernel(const sq_choice *choice)
{
    return choice->mid_kernel != 0;
}

static bool writes_expansion(const sq_choice *choice)
{
    return choice->expansion != 1 || sq_block_kind_of(choice->kind)->label_style == SQ_LABEL_EXPANSION;
}

static bool has_se(const sq_choice *choice)
{
    return choice->has_se;
}

static bool writes_ratio(const sq_choice *choice)
{
    return choice->has_se || choice->se_ratio != 0.25;
}

static bool writes_gate(const sq_choice *choice)
{
    return choice->has_se || choice->gate_activation != SQ_SIGMOID;
}

static bool has_activation(const sq_choice *choice)
{
    return choice->activation != SQ_ACTIVATIONS;
}

#define AT(field) offsetof(sq_choice, field)
/* The order is part of sq_space_hash. */
static const parameter parameters[] = {
    {"kernel", INTEGER, AT(kernel), 3, is_kernel, "1, 3, 5 or 7", has_one_kernel, false},
    {"expansion", REAL, AT(expansion), 1, is_expansion, "more than 0 and at most 64", writes_expansion, false},
    {"se", FLAG, AT(has_se), 0, NULL, NULL, has_se, false},
    {"se_ratio", REAL, AT(se_ratio), 0.25, is_ratio, "more than 0 and at most 1", writes_ratio, false},
    {"gate", ACTIVATION, AT(gate_activation), SQ_SIGMOID, NULL, NULL, writes_gate, false},
    {"activation", ACTIVATION, AT(activation), SQ_ACTIVATIONS, NULL, NULL, has_activation, false},
    {"start_kernel", INTEGER, AT(start_kernel), 0, is_kernel_or_none, "0, 3, 5 or 7", has_start_kernel, true},
    {"mid_kernel", INTEGER, AT(mid_kernel), 0, is_kernel_or_none, "0, 3, 5 or 7", has_mid_kernel, true},
};

static double value_of(const parameter *p, const sq_choice *choice)
{
    const void *at = (const char *)choice + p->at;
    switch (p->type) {
    case INTEGER:
        return *(const int *)at;
    case REAL:
        return *(const double *)at;
    case FLAG:
        return *(const bool *)at;
    case ACTIVATION:
        return *(const sq_activation *)at;
    }
    assert(!"a type of parameter");
    return 0;
}

static void set_missing(const parameter *p, sq_choice *choice)
{
    void *at = (char *)choice + p->at;
    if (p->type == INTEGER && *(int *)at == 0)
        *(int *)at = (int)p->missing;
    else if (p->type == REAL && *(double *)at == 0)
        *(double *)at = p->missing;
    else if (p->type == ACTIVATION)
        *(sq_activation *)at = (sq_activation)p->missing;
}

static bool takes_se(const sq_block_kind_row *row)
{
    return row->takes_se;
}

static sq_status check(const sq_choice *c, const char *file)
{
    char list[256];
    for (size_t i = 0; i < COUNT(parameters); i++) {
        const parameter *p = &parameters[i];
        if (p->is_valid && !p->is_valid(value_of(p, c)))
            return sq_fail(SQ_INVALID, "%s: choice '%s': %s %g, expected %s", file, c->name, p->word, value_of(p, c),
                           p->expected);
    }
    if (c->has_se && !sq_block_kind_of(c->kind)->takes_se)
        return sq_fail(SQ_INVALID, "%s: choice '%s': kind %s has no se; kinds with se: %s", file, c->name,
                       sq_block_name(c->kind), sq_block_list(list, sizeof list, takes_se));
    if (!has_two_kernels(c) && (c->start_kernel != 0 || c->mid_kernel != 0))
        return sq_fail(SQ_INVALID, "%s: choice '%s': kind %s has no start_kernel and mid_kernel; use kernel", file,
                       c->name, sq_block_name(c->kind));
    return SQ_OK;
}

sq_status sq_choice_read(const sq_raw_choice *raw, const char *file, sq_choice *out)
{
    sq_choice c = raw->value;
    (void)snprintf(c.name, sizeof c.name, "%s", raw->name);
    if (has_two_kernels(&c) && c.kernel != 0)
        return sq_fail(SQ_INVALID, "%s: choice '%s': kind %s has no kernel; use start_kernel and mid_kernel", file,
                       c.name, sq_block_name(c.kind));
    for (size_t i = 0; i < COUNT(parameters); i++)
        set_missing(&parameters[i], &c);
    if (raw->gate)
        c.gate_activation = *raw->gate;
    if (raw->activation)
        c.activation = *raw->activation;
    SQ_TRY(check(&c, file));
    if (has_two_kernels(&c)) {
        c.kernel = c.start_kernel > c.mid_kernel ? c.start_kernel : c.mid_kernel;
        c.kernel = c.kernel > 0 ? c.kernel : 1;
    }
    *out = c;
    return SQ_OK;
}

/* ---- Text ---- */

void sq_choice_write(const sq_choice *choice, FILE *file)
{
    (void)fputs("  - {name: ", file);
    sq_yaml_put_word(file, choice->name);
    (void)fprintf(file, ", kind: %s", sq_block_name(choice->kind));
    for (size_t i = 0; i < COUNT(parameters); i++) {
        const parameter *p = &parameters[i];
        if (!p->is_written(choice))
            continue;
        const double value = value_of(p, choice);
        (void)fprintf(file, ", %s: ", p->word);
        if (p->type == ACTIVATION)
            (void)fputs(sq_activation_name((sq_activation)value), file);
        else if (p->type == FLAG)
            (void)fputs(value != 0 ? "true" : "false", file);
        else if (p->type == INTEGER)
            (void)fprintf(file, "%d", (int)value);
        else
            sq_yaml_put_double(file, value);
    }
    (void)fputs("}\n", file);
}

uint64_t sq_choice_hash(uint64_t hash, const sq_choice *choice)
{
    char text[160];
    int length = snprintf(text, sizeof text, "; %s %d", choice->name, (int)choice->kind);
    hash = sq_hash(hash, text, (size_t)length);
    for (size_t i = 0; i < COUNT(parameters); i++) {
        const parameter *p = &parameters[i];
        const double value = value_of(p, choice);
        if (p->is_late && value == p->missing)
            continue;
        if (p->is_late)
            hash = sq_hash(hash, p->word, strlen(p->word));
        length = p->type == REAL ? snprintf(text, sizeof text, " %a", value)
                                 : snprintf(text, sizeof text, " %d", (int)value);
        hash = sq_hash(hash, text, (size_t)length);
    }
    return hash;
}
