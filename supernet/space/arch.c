/* Architectures as text: SPOS tuples, NNI JSON, and files that contain one of these. */
#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "supernet/space/space.h"

enum { LARGEST_FILE = 1 << 20 };

typedef struct {
    int values[SQ_MAX_LAYERS];
    int count;
} tuple;

static sq_status add_value(tuple *t, const char *word, const char *where)
{
    int64_t value;
    if (!sq_text_int(word, 0, SQ_MAX_CHOICES, &value))
        return sq_fail(SQ_INVALID, "%s: '%s' at position %d, expected the number of a choice", where, word,
                       t->count + 1);
    if (t->count >= SQ_MAX_LAYERS)
        return sq_fail(SQ_INVALID, "%s: more than %d numbers", where, SQ_MAX_LAYERS);
    t->values[t->count++] = (int)value;
    return SQ_OK;
}

/* Reads "(2, 1, 0)", "[2,1,0]" or "2 1 0". */
static sq_status read_tuple(const char *text, const char *where, tuple *t)
{
    static const char between[] = " \t\r\n,()[]";
    for (const char *p = text + strspn(text, between); *p; p += strspn(p, between)) {
        char word[32];
        const size_t length = strcspn(p, between);
        (void)snprintf(word, sizeof word, "%.*s", (int)(length < 31 ? length : 31), p);
        SQ_TRY(add_value(t, word, where));
        p += length;
    }
    return SQ_OK;
}

static sq_status add_json(tuple *t, const json_t *value, const char *where)
{
    char word[32];
    if (json_is_string(value))
        return add_value(t, json_string_value(value), where);
    (void)snprintf(word, sizeof word, "%lld", json_is_integer(value) ? (long long)json_integer_value(value) : -1LL);
    return add_value(t, word, where);
}

/* Reads {"arch": [..]}, or {"LayerChoice1": "2", ...}, whose keys are numbered from 1. */
static sq_status read_object(const json_t *object, const char *where, tuple *t)
{
    const json_t *list = json_object_get(object, "arch");
    for (size_t i = 0; i < json_array_size(list); i++)
        SQ_TRY(add_json(t, json_array_get(list, i), where));
    if (json_is_array(list))
        return SQ_OK;
    for (size_t i = 1; i <= json_object_size(object); i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "LayerChoice%zu", i);
        const json_t *value = json_object_get(object, key);
        if (!value)
            return sq_fail(SQ_INVALID, "%s: no '%s', expected LayerChoice1 .. LayerChoice%zu or a list 'arch'", where,
                           key, json_object_size(object));
        SQ_TRY(add_json(t, value, where));
    }
    return SQ_OK;
}

static sq_status read_text(const char *text, const char *where, tuple *t)
{
    if (text[strspn(text, " \t\r\n")] != '{')
        return read_tuple(text, where, t);
    json_error_t error;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!object)
        return sq_fail(SQ_INVALID, "%s:%d: %s", where, error.line, error.text);
    const sq_status status = read_object(object, where, t);
    json_decref(object);
    return status;
}

int sq_arch_path(const sq_space *space, const int *numbers, int *path)
{
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        path[l] = layer->searched_index == SQ_NONE ? 0 : numbers[layer->searched_index];
        if (path[l] < 0 || path[l] >= layer->choice_count)
            return l;
    }
    return SQ_NONE;
}

static sq_status assign(const sq_space *space, const tuple *t, const char *where, int *path)
{
    int values[SQ_MAX_LAYERS];
    if (t->count != space->searched_count)
        return sq_fail(SQ_INVALID, "%s: %d numbers, expected %d, one for each searched layer of %s", where, t->count,
                       space->searched_count, space->name);
    const int wrong = sq_arch_path(space, t->values, values);
    if (wrong != SQ_NONE) {
        const sq_layer *layer = &space->layers[wrong];
        return sq_fail(SQ_INVALID, "%s: %d at position %d, expected 0..%d: layer %d has %d choices", where,
                       values[wrong], layer->searched_index + 1, layer->choice_count - 1, wrong, layer->choice_count);
    }
    memcpy(path, values, (size_t)space->layer_count * sizeof *path);
    return SQ_OK;
}

/* Whether the text is an architecture and not the name of a file. */
static bool is_literal(const char *text)
{
    const char first = text[strspn(text, " \t\r\n")];
    return first == '(' || first == '[' || first == '{' || isdigit((unsigned char)first) || !first;
}

sq_status sq_arch_read(const sq_space *space, const char *text, int *path)
{
    tuple t = {{0}, 0};
    if (is_literal(text) && !sq_path_exists(text)) {
        SQ_TRY(read_text(text, "architecture", &t));
        return assign(space, &t, "architecture", path);
    }
    char *content = NULL;
    size_t bytes = 0;
    SQ_TRY(sq_file_read(text, LARGEST_FILE, &content, &bytes));
    const sq_status status = read_text(content, text, &t);
    free(content);
    SQ_TRY(status);
    return assign(space, &t, text, path);
}

/* Appends text to `text`. Characters beyond `bytes` are dropped. */
typedef struct {
    char *text;
    size_t bytes;
    int used; /* length including the dropped characters */
} printer;

static void append(printer *p, const char *format, ...)
{
    va_list arguments;
    char *to = (size_t)p->used < p->bytes ? p->text + p->used : NULL;
    va_start(arguments, format);
    p->used += vsnprintf(to, to ? p->bytes - (size_t)p->used : 0, format, arguments);
    va_end(arguments);
}

int sq_arch_print(const sq_space *space, const int *path, char *text, size_t bytes)
{
    printer p = {text, bytes, 0};
    append(&p, "(");
    for (int l = 0; l < space->layer_count; l++)
        if (space->layers[l].searched_index != SQ_NONE)
            append(&p, "%s%d", space->layers[l].searched_index ? ", " : "", path[l]);
    append(&p, ")");
    return p.used;
}

int sq_arch_print_nni(const sq_space *space, const int *path, char *text, size_t bytes)
{
    printer p = {text, bytes, 0};
    append(&p, "{\n");
    for (int l = 0; l < space->layer_count; l++) {
        const int index = space->layers[l].searched_index;
        if (index != SQ_NONE)
            append(&p, "%s    \"LayerChoice%d\": \"%d\"", index ? ",\n" : "", index + 1, path[l]);
    }
    append(&p, "\n}\n");
    return p.used;
}
