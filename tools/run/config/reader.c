/* Reads configurations: YAML files, and overrides "key=value". */
#include "tools/run/config/reader.h"

#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "tools/run/config/renamed.h"
#include "tools/run/config/value.h"
#include "tools/run/share_folder.h"

enum { VALUE_BYTES = 4096, MAX_BASES = 8 };

static sq_status set_by_name(sq_config *config, const char *name, const char *value, const char *where)
{
    const char *names[SQ_KEY_LIMIT];
    char hint[SQ_TEXT_SUGGESTION];
    int device;
    const char *current = sq_renamed_key(name, value, where);
    if (!current)
        return SQ_OK; /* the key was removed */
    const sq_key *key = sq_key_find(current, &device);
    if (key)
        return sq_value_set(config, key, device, value, where);
    for (int i = 0; i < sq_key_count; i++)
        names[i] = sq_keys[i].key;
    return sq_fail(SQ_INVALID, "%s: unknown key '%s'%s", where, name,
                   sq_text_suggestion(hint, sizeof hint, name, names, sq_key_count));
}

sq_status sq_config_read_override(sq_config *config, const char *override)
{
    char name[SQ_KEY_BYTES];
    const char *equals = strchr(override, '=');
    if (!equals || (size_t)(equals - override) >= sizeof name)
        return sq_fail(SQ_INVALID, "--set: found '%.300s', expected key=value", override);
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - override), override);
    return set_by_name(config, name, equals + 1, "--set");
}

/* Writes a scalar, or a list of scalars, as text. */
static bool node_text(yaml_document_t *document, const yaml_node_t *node, char *out, size_t bytes)
{
    if (node->type == YAML_SCALAR_NODE)
        return (size_t)snprintf(out, bytes, "%s", (const char *)node->data.scalar.value) < bytes;
    size_t used = 0;
    *out = 0;
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        const yaml_node_t *item = yaml_document_get_node(document, *i);
        if (!item || item->type != YAML_SCALAR_NODE || used >= bytes)
            return false;
        used +=
            (size_t)snprintf(out + used, bytes - used, "%s%s", used ? ", " : "", (const char *)item->data.scalar.value);
    }
    return used < bytes;
}

typedef struct {
    sq_config *config;
    const char *path;
    yaml_document_t *document;
} file_reading;

static sq_status read_mapping(file_reading *f, const yaml_node_t *mapping, const char *prefix);

/* Reads the value of latency that is a list of mappings, one for each device. */
static sq_status read_devices(file_reading *f, const yaml_node_t *list)
{
    int device = 0;
    for (const yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
        const yaml_node_t *item = yaml_document_get_node(f->document, *i);
        char prefix[32];
        if (!item || item->type != YAML_MAPPING_NODE || device == SQ_MAX_DEVICES)
            return sq_fail(SQ_INVALID, "%s:%zu: latency: expected a list of up to %d mappings {device, limit_ms, ...}",
                           f->path, list->start_mark.line + 1, SQ_MAX_DEVICES);
        (void)snprintf(prefix, sizeof prefix, "latency.%d.", ++device);
        SQ_TRY(read_mapping(f, item, prefix));
    }
    return SQ_OK;
}

static bool is_base(const yaml_node_t *key)
{
    return key && key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, "base") == 0;
}

/* Returns whether a mapping is empty and no key starts with `name`. Such a mapping must be refused, because YAML
 * aliases could nest empty mappings without limit. Reading a mapping with keys stops at the first unknown key. */
static bool is_empty_and_unknown(const yaml_node_t *mapping, const char *name)
{
    return mapping->data.mapping.pairs.start == mapping->data.mapping.pairs.top && !sq_key_has_section(name) &&
           !sq_renamed_section(name);
}

/* name: the complete key, in an array of SQ_KEY_BYTES with at least two bytes left */
static sq_status read_value(file_reading *f, const yaml_node_t *value, char *name, const char *where)
{
    char text[VALUE_BYTES];
    if (value->type == YAML_MAPPING_NODE) {
        (void)strcat(name, ".");
        if (is_empty_and_unknown(value, name))
            return sq_fail(SQ_INVALID, "%s: '%s': found an empty mapping, and no key starts with this name", where,
                           name);
        return read_mapping(f, value, name);
    }
    if (value->type == YAML_SEQUENCE_NODE && strcmp(name, "latency") == 0)
        return read_devices(f, value);
    if (!node_text(f->document, value, text, sizeof text))
        return sq_fail(SQ_INVALID, "%s: %s: expected one value", where, name);
    return set_by_name(f->config, name, text, where);
}

static sq_status read_mapping(file_reading *f, const yaml_node_t *mapping, const char *prefix)
{
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(f->document, p->key),
                          *value = yaml_document_get_node(f->document, p->value);
        char name[SQ_KEY_BYTES], where[SQ_PATH_BYTES + 32];
        if (!key || !value || key->type != YAML_SCALAR_NODE)
            return sq_fail(SQ_INVALID, "%s: expected 'key: value'", f->path);
        if (!*prefix && is_base(key))
            continue; /* read_document has already read the base */
        (void)snprintf(where, sizeof where, "%.4000s:%zu", f->path, key->start_mark.line + 1);
        if ((size_t)snprintf(name, sizeof name, "%s%s", prefix, (const char *)key->data.scalar.value) >=
            sizeof name - 2)
            return sq_fail(SQ_INVALID, "%s: a key of more than %zu characters", where, sizeof name - 3);
        SQ_TRY(read_value(f, value, name, where));
    }
    return SQ_OK;
}

typedef struct {
    sq_config *config;
    int depth; /* number of nested base: keys */
} reading;

static sq_status read_document(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root);

/* Reads the configuration `base`, whose keys the file `path` overrides. A relative base is searched in the folder of
 * `path`, the working folder and the share folder. */
static sq_status read_base(const reading *r, const char *path, const char *base, const char *where)
{
    char folder[SQ_PATH_BYTES], next_to[SQ_PATH_BYTES], shared[SQ_PATH_BYTES];
    reading next = {r->config, r->depth + 1};
    if (next.depth > MAX_BASES)
        return sq_fail(SQ_INVALID, "%s: base: more than %d nested files", where, MAX_BASES);
    sq_path_parent(folder, sizeof folder, path);
    if (sq_path_find(next_to, sizeof next_to, folder, base))
        base = next_to;
    else
        base = sq_share_find(shared, sizeof shared, base);
    return sq_yaml_visit(base, &next, read_document);
}

static sq_status read_document(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    const reading *r = context;
    if (!root)
        return SQ_OK;
    if (root->type != YAML_MAPPING_NODE)
        return sq_fail(SQ_INVALID, "%s:1: expected a mapping of keys", path);
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(document, p->key),
                          *value = yaml_document_get_node(document, p->value);
        char where[SQ_PATH_BYTES + 32], text[SQ_PATH_BYTES];
        if (!is_base(key))
            continue;
        (void)snprintf(where, sizeof where, "%.4000s:%zu", path, key->start_mark.line + 1);
        if (!value || value->type != YAML_SCALAR_NODE || !node_text(document, value, text, sizeof text))
            return sq_fail(SQ_INVALID, "%s: base: expected the path of one file", where);
        SQ_TRY(read_base(r, path, text, where));
    }
    file_reading f = {r->config, path, document};
    return read_mapping(&f, root, "");
}

sq_status sq_config_read_file(sq_config *config, const char *path)
{
    return sq_yaml_visit(path, &(reading){config, 0}, read_document);
}
