/* Parses, prints and compares the value of one key. */
#include "tools/run/config/value.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/text.h"
#include "kernels/base/yaml.h"

static sq_status wrong(const char *where, const sq_key *key, const char *value)
{
    const char *name = key->key;
    switch (key->type) {
    case SQ_KEY_WORD:
        return sq_fail(SQ_INVALID, "%s: %s: found '%s', expected one of: %.*s", where, name, value,
                       (int)(strlen(key->words) - (key->words[strlen(key->words) - 1] == ' ')), key->words);
    case SQ_KEY_TRIPLE:
        return sq_fail(SQ_INVALID, "%s: %s: found '%s', expected three numbers", where, name, value);
    case SQ_KEY_OBJECTIVES:
        return sq_fail(SQ_INVALID,
                       "%s: %s: found '%s', expected accuracy and up to %d different ones of macs, parameters, memory, "
                       "latency, latency.2, energy, energy.2, ...",
                       where, name, value, SQ_MAX_OBJECTIVES - 1);
    case SQ_KEY_POINT:
        return sq_fail(SQ_INVALID, "%s: %s: found '%s', expected up to %d numbers", where, name, value,
                       SQ_MAX_OBJECTIVES);
    default:
        return sq_fail(SQ_INVALID, "%s: %s: found '%s', expected a %snumber from %g to %g", where, name, value,
                       key->type == SQ_KEY_REAL ? "" : "whole ", key->minimum, key->maximum);
    }
}

/* Returns the index of a word in a list such as "off on"; -1: not found. */
static int find_word(const char *words, const char *word)
{
    const size_t length = strlen(word);
    for (int index = 0; *words; index++) {
        const size_t found = strcspn(words, " ");
        if (found == length && strncmp(words, word, length) == 0)
            return index;
        words += found + (words[found] == ' ');
    }
    return -1;
}

static bool set_triple(const sq_key *key, const char *value, float *out)
{
    float read[3];
    const char *p = value + strspn(value, " [");
    for (int i = 0; i < 3; i++) {
        char *end;
        const double number = strtod(p, &end);
        if (end == p || !(number >= key->minimum && number <= key->maximum))
            return false;
        read[i] = (float)number;
        p = end + strspn(end, " ,]");
    }
    if (*p)
        return false;
    memcpy(out, read, sizeof read);
    return true;
}

sq_status sq_value_set_text(char **out, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return sq_fail(SQ_NO_MEMORY, "configuration");
    free(*out);
    *out = copy;
    return SQ_OK;
}

void *sq_value_at(sq_config *config, const sq_key *key, int device)
{
    return (char *)config + key->offset + (size_t)device * sizeof *config->latency;
}

static const void *value_at(const sq_config *config, const sq_key *key, int device)
{
    return (const char *)config + key->offset + (size_t)device * sizeof *config->latency;
}

static bool set_number(void *to, const sq_key *key, const char *value)
{
    int64_t whole;
    double number;
    if (key->type == SQ_KEY_REAL) {
        if (!sq_text_double(value, key->minimum, key->maximum, &number))
            return false;
        *(double *)to = number;
        return true;
    }
    if (!sq_text_int(value, (int64_t)key->minimum, (int64_t)key->maximum, &whole))
        return false;
    if (key->type == SQ_KEY_LONG)
        *(int64_t *)to = whole;
    else
        *(int *)to = (int)whole;
    return true;
}

static bool set_word(int *to, const sq_key *key, const char *value)
{
    const int word = find_word(key->words, value);
    if (word >= 0)
        *to = word;
    return word >= 0;
}

sq_status sq_value_set(sq_config *config, const sq_key *key, int device, const char *value, const char *where)
{
    void *to = sq_value_at(config, key, device);
    bool is_valid = false;
    switch (key->type) {
    case SQ_KEY_INT:
    case SQ_KEY_LONG:
    case SQ_KEY_REAL:
        is_valid = set_number(to, key, value);
        break;
    case SQ_KEY_TRIPLE:
        is_valid = set_triple(key, value, to);
        break;
    case SQ_KEY_OBJECTIVES:
        is_valid = sq_objectives_read(value, to);
        break;
    case SQ_KEY_POINT:
        is_valid = sq_point_read(value, to);
        break;
    case SQ_KEY_WORD:
        is_valid = set_word(to, key, value);
        break;
    case SQ_KEY_TEXT:
    case SQ_KEY_FILE_PATH:
        return sq_value_set_text(to, value);
    }
    return is_valid ? SQ_OK : wrong(where, key, value);
}

bool sq_value_is_text(const sq_key *key)
{
    return key->type == SQ_KEY_TEXT || key->type == SQ_KEY_FILE_PATH;
}

static void print_objectives(FILE *file, const sq_objectives *objectives)
{
    char name[32];
    for (int m = 0; m < objectives->count; m++)
        (void)fprintf(file, "%s%s", m ? ", " : "[", sq_objective_name(&objectives->list[m], name, sizeof name));
    (void)fputc(']', file);
}

static void print_point(FILE *file, const sq_point *point)
{
    (void)fputc('[', file);
    for (int m = 0; m < point->count; m++)
        (void)fprintf(file, "%s%.17g", m ? ", " : "", point->values[m]);
    (void)fputc(']', file);
}

void sq_value_print(FILE *file, const sq_config *config, const sq_key *key, int device)
{
    const void *from = value_at(config, key, device);
    const char *word = key->words;
    switch (key->type) {
    case SQ_KEY_INT:
        (void)fprintf(file, "%d", *(const int *)from);
        break;
    case SQ_KEY_LONG:
        (void)fprintf(file, "%lld", (long long)*(const int64_t *)from);
        break;
    case SQ_KEY_REAL:
        (void)fprintf(file, "%.17g", *(const double *)from);
        break;
    case SQ_KEY_TRIPLE:
        (void)fprintf(file, "[%.9g, %.9g, %.9g]", (double)((const float *)from)[0], (double)((const float *)from)[1],
                      (double)((const float *)from)[2]);
        break;
    case SQ_KEY_OBJECTIVES:
        print_objectives(file, from);
        break;
    case SQ_KEY_POINT:
        print_point(file, from);
        break;
    case SQ_KEY_WORD:
        for (int i = 0; i < *(const int *)from; i++)
            word += strcspn(word, " ") + 1;
        (void)fprintf(file, "%.*s", (int)strcspn(word, " "), word);
        break;
    case SQ_KEY_TEXT:
    case SQ_KEY_FILE_PATH:
        sq_yaml_put_string(file, *(char *const *)from);
    }
}

static bool is_same_list(const sq_objectives *a, const sq_objectives *b)
{
    bool is_same = a->count == b->count;
    for (int i = 0; is_same && i < a->count; i++)
        is_same = a->list[i].kind == b->list[i].kind && a->list[i].device == b->list[i].device;
    return is_same;
}

static bool is_same_point(const sq_point *a, const sq_point *b)
{
    bool is_same = a->count == b->count;
    for (int i = 0; is_same && i < a->count; i++)
        is_same = a->values[i] == b->values[i];
    return is_same;
}

bool sq_value_is_same(const sq_config *a, const sq_config *b, const sq_key *key)
{
    const void *x = value_at(a, key, 0), *y = value_at(b, key, 0);
    switch (key->type) {
    case SQ_KEY_LONG:
        return *(const int64_t *)x == *(const int64_t *)y;
    case SQ_KEY_REAL:
        return *(const double *)x == *(const double *)y;
    case SQ_KEY_TRIPLE:
        return memcmp(x, y, 3 * sizeof(float)) == 0;
    case SQ_KEY_TEXT:
    case SQ_KEY_FILE_PATH:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    case SQ_KEY_OBJECTIVES:
        return is_same_list(x, y);
    case SQ_KEY_POINT:
        return is_same_point(x, y);
    case SQ_KEY_INT:
    case SQ_KEY_WORD:
        return *(const int *)x == *(const int *)y;
    }
    return false; /* unknown key type */
}
