/* Reads config.yaml as flat text instead of as a configuration, because the reader of configurations refuses unknown
 * keys of other versions. */
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "tools/report/report.h"
#include "tools/run/config/keys.h"
#include "tools/run/config/renamed.h"

enum { KEY_BYTES = 256, TEXT_BYTES = 4096, MOST_LEVELS = 8 };

typedef struct {
    yaml_document_t *document;
    json_t *settings;
} reader;

static const char *scalar(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

/* Stores a list as the text "[a, b, c]". */
static void put_list(const reader *r, const yaml_node_t *node, const char *key)
{
    char text[TEXT_BYTES] = "[";
    size_t used = 1;
    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        const int length = snprintf(text + used, sizeof text - used, "%s%s", used > 1 ? ", " : "",
                                    scalar(yaml_document_get_node(r->document, *item)));
        if (length < 0 || used + (size_t)length + 2 > sizeof text)
            break;
        used += (size_t)length;
    }
    (void)snprintf(text + used, sizeof text - used, "]");
    json_object_set_new(r->settings, key, sq_report_text(text));
}

static void put_node(const reader *r, const yaml_node_t *node, const char *key, int level);

static void put_sequence(const reader *r, const yaml_node_t *node, const char *key, int level)
{
    char inner[KEY_BYTES];
    int number = 0;
    const yaml_node_item_t *items = node->data.sequence.items.start;
    const yaml_node_t *first =
        items < node->data.sequence.items.top ? yaml_document_get_node(r->document, *items) : NULL;
    if (!first || first->type != YAML_MAPPING_NODE) {
        put_list(r, node, key);
        return;
    }
    for (; items < node->data.sequence.items.top; items++) {
        if (++number == 1)
            (void)snprintf(inner, sizeof inner, "%s", key);
        else
            (void)snprintf(inner, sizeof inner, "%.200s.%d", key, number);
        put_node(r, yaml_document_get_node(r->document, *items), inner, level + 1);
    }
}

/* Stores a scalar. A key of version 0.1 is stored under its current name. */
static void put_scalar(const reader *r, const yaml_node_t *node, const char *key)
{
    (void)sq_renamed_find(key, &key);
    if (key)
        json_object_set_new(r->settings, key, sq_report_text(scalar(node)));
}

static void put_node(const reader *r, const yaml_node_t *node, const char *key, int level)
{
    char inner[KEY_BYTES];
    if (!node || level > MOST_LEVELS)
        return;
    if (node->type == YAML_SCALAR_NODE)
        put_scalar(r, node, key);
    else if (node->type == YAML_SEQUENCE_NODE)
        put_sequence(r, node, key, level);
    else if (node->type == YAML_MAPPING_NODE)
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
            (void)snprintf(inner, sizeof inner, "%.120s%s%.120s", key, *key ? "." : "",
                           scalar(yaml_document_get_node(r->document, p->key)));
            put_node(r, yaml_document_get_node(r->document, p->value), inner, level + 1);
        }
}

static sq_status read_root(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    (void)path; /* sq_yaml_visit adds the path to its messages */
    const reader r = {document, context};
    put_node(&r, root, "", 0);
    return SQ_OK;
}

static void note_unknown(const json_t *settings, const char *name, json_t *notes)
{
    const char *key;
    json_t *value;
    char list[512] = "";
    size_t used = 0, count = 0;
    json_object_foreach((json_t *)settings, key, value) /* the macro does not change the object */
    {
        int device;
        if (sq_key_find(key, &device))
            continue;
        count++;
        if (used + strlen(key) + 3 < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", key);
    }
    if (count)
        sq_report_note(notes, "%s: %zu key%s this version of Squall does not know (%s): another version wrote the run",
                       name, count, count == 1 ? " that" : "s that", list);
}

json_t *sq_report_settings(const char *folder, const char *name, json_t *notes)
{
    char path[SQ_PATH_BYTES];
    json_t *settings = json_object();
    if (!settings || !sq_path_find(path, sizeof path, folder, name))
        return settings;
    if (sq_yaml_visit(path, settings, read_root) != SQ_OK)
        sq_report_note(notes, "%s", sq_error_text());
    note_unknown(settings, name, notes);
    return settings;
}

const char *sq_report_setting(const json_t *settings, const char *key)
{
    const char *text = json_string_value(json_object_get(settings, key));
    return text ? text : "";
}

double sq_report_number(const json_t *settings, const char *key, double otherwise)
{
    double value = otherwise;
    (void)sq_text_double(sq_report_setting(settings, key), 0, 1e15, &value); /* unchanged if the text is not a number */
    return value;
}
