/* The configuration: a table of keys over one struct. */
#include "tools/run/config.h"

#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"
#include "kernels/base/yaml.h"
#include "tools/run/config_keys.h"
#include "tools/run/share_folder.h"

enum { VALUE_BYTES = 4096, BASES_LIMIT = 8 };

/* ---- Values ---- */

static sq_status wrong(const char *where, const sq_key *info, const char *value)
{
    if (info->type == SQ_KEY_WORD)
        return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted one of: %.*s", where, info->key, value,
                       (int)strlen(info->words) - 1, info->words); /* a blank behind each */
    if (info->type == SQ_KEY_TRIPLE)
        return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted three numbers", where, info->key, value);
    if (info->type == SQ_KEY_OBJECTIVES)
        return sq_fail(
            SQ_INVALID,
            "%s: %s: '%s', wanted accuracy and up to %d different ones of macs, parameters, memory, latency, "
            "latency.2, energy, energy.2, ...",
            where, info->key, value, SQ_MAX_OBJECTIVES - 1);
    if (info->type == SQ_KEY_POINT)
        return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted up to %d numbers", where, info->key, value, SQ_MAX_OBJECTIVES);
    return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted %s from %g to %g", where, info->key, value,
                   info->type == SQ_KEY_REAL ? "a number" : "a whole number", info->minimum, info->maximum);
}

static int find_word(const char *words, const char *word)
{
    int index = 0;
    for (const char *p = words; *p; index++) {
        const size_t length = strcspn(p, " ");
        if (strlen(word) == length && strncmp(p, word, length) == 0)
            return index;
        p += length + 1;
    }
    return -1;
}

static bool set_triple(const sq_key *info, const char *value, float *out)
{
    float read[3];
    const char *p = value + strspn(value, " [");
    for (int i = 0; i < 3; i++) {
        char *end;
        const double number = strtod(p, &end);
        if (end == p || !(number >= info->minimum && number <= info->maximum))
            return false;
        read[i] = (float)number;
        p = end + strspn(end, " ,]");
    }
    if (*p)
        return false;
    memcpy(out, read, sizeof read);
    return true;
}

static sq_status set_text(char **out, const char *value)
{
    char *copy = strdup(value);
    if (!copy)
        return sq_fail(SQ_NO_MEMORY, "configuration");
    free(*out);
    *out = copy;
    return SQ_OK;
}

/* Keys that come once for each device. */
static bool is_repeated(const sq_key *info)
{
    return strncmp(info->key, "latency.", 8) == 0;
}

static void *address(sq_config *config, const sq_key *info, int device)
{
    return (char *)config + info->offset + (size_t)device * sizeof *config->latency;
}

static const void *value_at(const sq_config *config, const sq_key *info, int device)
{
    return (const char *)config + info->offset + (size_t)device * sizeof *config->latency;
}

static sq_status set(sq_config *config, const sq_key *info, int device, const char *value, const char *where)
{
    void *to = address(config, info, device);
    int64_t whole;
    double number;
    int word;
    switch (info->type) {
    case SQ_KEY_INT:
        if (!sq_text_int(value, (int64_t)info->minimum, (int64_t)info->maximum, &whole))
            return wrong(where, info, value);
        *(int *)to = (int)whole;
        return SQ_OK;
    case SQ_KEY_LONG:
        if (!sq_text_int(value, (int64_t)info->minimum, (int64_t)info->maximum, (int64_t *)to))
            return wrong(where, info, value);
        return SQ_OK;
    case SQ_KEY_REAL:
        if (!sq_text_double(value, info->minimum, info->maximum, &number))
            return wrong(where, info, value);
        *(double *)to = number;
        return SQ_OK;
    case SQ_KEY_TRIPLE:
        return set_triple(info, value, to) ? SQ_OK : wrong(where, info, value);
    case SQ_KEY_OBJECTIVES:
        return sq_objectives_read(value, to) ? SQ_OK : wrong(where, info, value);
    case SQ_KEY_POINT:
        return sq_point_read(value, to) ? SQ_OK : wrong(where, info, value);
    case SQ_KEY_WORD:
        word = find_word(info->words, value);
        if (word < 0)
            return wrong(where, info, value);
        *(int *)to = word;
        return SQ_OK;
    default:
        return set_text(to, value);
    }
}

/* "latency.2.limit_ms" is latency.limit_ms of the second device; "latency" alone its first device. */
static const sq_key *find_key(const char *key, int *device)
{
    char plain[256];
    int from = 0;
    *device = 0;
    if (sscanf(key, "latency.%1d.%n", device, &from) == 1 && from > 0 && *device >= 1 && *device <= SQ_MAX_DEVICES) {
        --*device;
        (void)snprintf(plain, sizeof plain, "latency.%s", key + from);
        key = plain;
    } else {
        *device = 0;
    }
    if (strcmp(key, "latency") == 0)
        key = "latency.device";
    for (int i = 0; i < sq_key_count; i++)
        if (strcmp(sq_keys[i].key, key) == 0)
            return &sq_keys[i];
    return NULL;
}

static sq_status set_by_name(sq_config *config, const char *key, const char *value, const char *where)
{
    const char *names[SQ_KEY_LIMIT];
    char hint[SQ_TEXT_SUGGESTION];
    int device;
    const sq_key *info = find_key(key, &device);
    if (info)
        return set(config, info, device, value, where);
    for (int i = 0; i < sq_key_count; i++)
        names[i] = sq_keys[i].key;
    return sq_fail(SQ_INVALID, "%s: unknown key '%s'%s", where, key,
                   sq_text_suggestion(hint, sizeof hint, key, names, sq_key_count));
}

/* ---- YAML ---- */

/* A scalar, or a list of scalars, as text. */
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

static sq_status read_mapping(sq_config *config, const char *path, yaml_document_t *document,
                              const yaml_node_t *mapping, const char *prefix);

/* latency: a list of mappings, one for each device. */
static sq_status read_devices(sq_config *config, const char *path, yaml_document_t *document, const yaml_node_t *list)
{
    int device = 0;
    for (const yaml_node_item_t *i = list->data.sequence.items.start; i < list->data.sequence.items.top; i++) {
        const yaml_node_t *item = yaml_document_get_node(document, *i);
        char prefix[32];
        if (!item || item->type != YAML_MAPPING_NODE || device == SQ_MAX_DEVICES)
            return sq_fail(SQ_INVALID, "%s:%zu: latency: wanted a list of up to %d mappings {device, limit_ms, ...}",
                           path, list->start_mark.line + 1, SQ_MAX_DEVICES);
        (void)snprintf(prefix, sizeof prefix, "latency.%d.", ++device);
        SQ_TRY(read_mapping(config, path, document, item, prefix));
    }
    return SQ_OK;
}

static bool is_base(const yaml_node_t *key)
{
    return key && key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, "base") == 0;
}

/* A mapping without keys where no key can be. Aliases could nest such ones without end: mappings with keys end at the
 * first that is unknown. */
static bool is_useless(const yaml_node_t *mapping, const char *name)
{
    bool is_section = false;
    for (int i = 0; i < sq_key_count && !is_section; i++)
        is_section = strncmp(sq_keys[i].key, name, strlen(name)) == 0;
    return mapping->data.mapping.pairs.start == mapping->data.mapping.pairs.top && !is_section;
}

static sq_status read_mapping(sq_config *config, const char *path, yaml_document_t *document,
                              const yaml_node_t *mapping, const char *prefix)
{
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(document, p->key),
                          *value = yaml_document_get_node(document, p->value);
        char name[256], where[SQ_PATH_BYTES + 32], text[VALUE_BYTES];
        if (!key || !value || key->type != YAML_SCALAR_NODE)
            return sq_fail(SQ_INVALID, "%s: wanted 'key: value'", path);
        if (!*prefix && is_base(key))
            continue; /* read already */
        (void)snprintf(where, sizeof where, "%.4000s:%zu", path, key->start_mark.line + 1);
        if ((size_t)snprintf(name, sizeof name, "%s%s", prefix, (const char *)key->data.scalar.value) >=
            sizeof name - 2)
            return sq_fail(SQ_INVALID, "%s: a key of more than 250 letters", where);
        if (value->type == YAML_MAPPING_NODE) {
            (void)strcat(name, ".");
            if (is_useless(value, name))
                return sq_fail(SQ_INVALID, "%s: '%s': an empty mapping, and there are no such keys", where, name);
            SQ_TRY(read_mapping(config, path, document, value, name));
        } else if (value->type == YAML_SEQUENCE_NODE && strcmp(name, "latency") == 0) {
            SQ_TRY(read_devices(config, path, document, value));
        } else if (!node_text(document, value, text, sizeof text)) {
            return sq_fail(SQ_INVALID, "%s: %s: wanted one value", where, name);
        } else {
            SQ_TRY(set_by_name(config, name, text, where));
        }
    }
    return SQ_OK;
}

typedef struct {
    sq_config *config;
    int depth; /* of base: */
} reading;

static sq_status read_document(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root);

/* base: another configuration, read before this one; a path from this one's folder, or any that is found. */
static sq_status read_base(const reading *r, const char *path, const char *base, const char *where)
{
    char folder[SQ_PATH_BYTES], beside[SQ_PATH_BYTES], shared[SQ_PATH_BYTES];
    reading next = {r->config, r->depth + 1};
    if (next.depth > BASES_LIMIT)
        return sq_fail(SQ_INVALID, "%s: base: more than %d files, one on top of the other", where, BASES_LIMIT);
    sq_path_parent(folder, sizeof folder, path);
    if (sq_path_find(beside, sizeof beside, folder, base))
        base = beside;
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
        return sq_fail(SQ_INVALID, "%s:1: wanted a mapping of keys", path);
    for (const yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(document, p->key),
                          *value = yaml_document_get_node(document, p->value);
        char where[SQ_PATH_BYTES + 32], text[SQ_PATH_BYTES];
        if (!is_base(key))
            continue;
        (void)snprintf(where, sizeof where, "%.4000s:%zu", path, key->start_mark.line + 1);
        if (!value || value->type != YAML_SCALAR_NODE || !node_text(document, value, text, sizeof text))
            return sq_fail(SQ_INVALID, "%s: base: wanted the path of one file", where);
        SQ_TRY(read_base(r, path, text, where));
    }
    return read_mapping(r->config, path, document, root, "");
}

/* ---- Paths ---- */

static bool try_path(char **value, const char *candidate)
{
    char resolved[PATH_MAX];
    if (!realpath(candidate, resolved))
        return false;
    return set_text(value, resolved) == SQ_OK;
}

/* Relative paths: working folder, the configuration's folder, the share folder; then absolute. What is nowhere stays as
 * it is, and whoever opens it says so. */
static void resolve_paths(sq_config *config, const char *path)
{
    char folder[SQ_PATH_BYTES], candidate[SQ_PATH_BYTES];
    sq_path_parent(folder, sizeof folder, path ? path : "");
    for (int i = 0; i < sq_key_count; i++)
        for (int device = 0; device < (is_repeated(&sq_keys[i]) ? SQ_MAX_DEVICES : 1); device++) {
            char **value = address(config, &sq_keys[i], device);
            if (sq_keys[i].type != SQ_KEY_FILE_PATH || !**value || try_path(value, *value))
                continue;
            if (sq_text_path(candidate, sizeof candidate, folder, *value) == SQ_OK && try_path(value, candidate))
                continue;
            if (sq_share_path(candidate, sizeof candidate, *value))
                (void)try_path(value, candidate);
        }
}

/* ---- Public ---- */

static sq_status apply(sq_config *config, const char *override)
{
    char key[256];
    const char *equals = strchr(override, '=');
    if (!equals || (size_t)(equals - override) >= sizeof key)
        return sq_fail(SQ_INVALID, "--set %s: wanted key=value", override);
    (void)snprintf(key, sizeof key, "%.*s", (int)(equals - override), override);
    return set_by_name(config, key, equals + 1, "--set");
}

static sq_status check(const sq_config *config)
{
    const sq_transform *t = &config->data.transform;
    if (t->area_min > t->area_max || t->aspect_min > t->aspect_max)
        return sq_fail(SQ_INVALID, "data: area %g..%g, aspect %g..%g: the smaller one first", t->area_min, t->area_max,
                       t->aspect_min, t->aspect_max);
    const int devices = sq_config_device_count(config);
    for (int i = 0; i < SQ_MAX_DEVICES; i++)
        if (i >= devices && (*config->latency[i].device || config->latency[i].limit_ms > 0 ||
                             config->latency[i].limit_energy_mj > 0 || config->latency[i].limit_area_mm2 > 0))
            return sq_fail(SQ_INVALID, "latency: %s without a device: give --latency",
                           *config->latency[i].device ? "a device after one that is missing" : "a limit");
    if (config->search.temperature < config->search.final_temperature)
        return sq_fail(SQ_INVALID, "search.final_temperature: %g, above search.temperature %g",
                       config->search.final_temperature, config->search.temperature);
    if (config->train.schedule.warmup_steps > config->train.steps)
        return sq_fail(SQ_INVALID, "train.warmup_steps: %lld, more than train.steps %lld",
                       (long long)config->train.schedule.warmup_steps, (long long)config->train.steps);
    return SQ_OK;
}

/* source: Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.1 (linear, with a warm-up); Krizhevsky 2014,
 * "One weird trick for parallelizing convolutional neural networks" (sqrt, which keeps the gradient's variance) */
static void scale_rates(sq_config *config)
{
    const double ratio = config->lr_batch ? (double)config->train.batch / config->lr_batch : 1;
    const double factor = config->lr_rule ? sqrt(ratio) : ratio;
    config->train.schedule.base = factor * config->lr;
    config->train.schedule.final = factor * config->final_lr;
}

sq_status sq_config_read(sq_config **out, const char *path, const char *const *overrides, int override_count)
{
    char shared[SQ_PATH_BYTES];
    sq_config *config = calloc(1, sizeof *config);
    path = path ? sq_share_find(shared, sizeof shared, path) : NULL;
    sq_status status = config ? SQ_OK : sq_fail(SQ_NO_MEMORY, "configuration");
    for (int i = 0; i < sq_key_count; i++)
        for (int device = 0; status == SQ_OK && device < (is_repeated(&sq_keys[i]) ? SQ_MAX_DEVICES : 1); device++)
            status = set(config, &sq_keys[i], device, sq_keys[i].initial, "default");
    if (status == SQ_OK && path)
        status = sq_yaml_visit(path, &(reading){config, 0}, read_document);
    for (int i = 0; status == SQ_OK && i < override_count; i++)
        status = apply(config, overrides[i]);
    if (status == SQ_OK)
        status = check(config);
    if (status != SQ_OK) {
        sq_config_free(config);
        return status;
    }
    resolve_paths(config, path);
    config->train.seed = config->search.seed = (uint64_t)config->seed;
    config->search.write_retries = config->train.write_retries;
    config->train.schedule.steps = config->train.steps;
    scale_rates(config);
    *out = config;
    return SQ_OK;
}

void sq_config_free(sq_config *config)
{
    if (!config)
        return;
    for (int i = 0; i < sq_key_count; i++)
        for (int device = 0; device < (is_repeated(&sq_keys[i]) ? SQ_MAX_DEVICES : 1); device++)
            if (sq_keys[i].type == SQ_KEY_TEXT || sq_keys[i].type == SQ_KEY_FILE_PATH)
                free(*(char **)address(config, &sq_keys[i], device));
    free(config);
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

static void print_value(FILE *file, const sq_config *config, const sq_key *info, int device)
{
    const void *from = value_at(config, info, device);
    const char *word = info->words;
    switch (info->type) {
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
    default:
        sq_yaml_put_string(file, *(char *const *)from);
    }
}

/* A list of the devices that there are, at least one. */
static void write_devices(FILE *file, const sq_config *config)
{
    const int count = sq_config_device_count(config);
    for (int device = 0; device < (count ? count : 1); device++) {
        const char *mark = "- ";
        for (int i = 0; i < sq_key_count; i++)
            if (is_repeated(&sq_keys[i])) {
                (void)fprintf(file, "  %s%s: ", mark, strchr(sq_keys[i].key, '.') + 1);
                print_value(file, config, &sq_keys[i], device);
                (void)fputc('\n', file);
                mark = "  ";
            }
    }
}

int sq_config_device_count(const sq_config *config)
{
    int count = 0;
    while (count < SQ_MAX_DEVICES && *config->latency[count].device)
        count++;
    return count;
}

sq_status sq_config_write(const sq_config *config, const char *path)
{
    char section[64] = "";
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    FILE *file = w.stream;
    for (int i = 0; i < sq_key_count; i++) {
        const char *dot = strchr(sq_keys[i].key, '.');
        char head[64] = "";
        if (dot)
            (void)snprintf(head, sizeof head, "%.*s", (int)(dot - sq_keys[i].key), sq_keys[i].key);
        if (dot && strcmp(head, section) != 0)
            (void)fprintf(file, "%s:\n", head);
        const bool is_list = is_repeated(&sq_keys[i]) && strcmp(head, section) != 0;
        (void)snprintf(section, sizeof section, "%s", head);
        if (is_list)
            write_devices(file, config);
        if (is_repeated(&sq_keys[i]))
            continue;
        (void)fprintf(file, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : sq_keys[i].key);
        print_value(file, config, &sq_keys[i], 0);
        (void)fputc('\n', file);
    }
    return sq_file_finish(&w, path);
}

static bool is_same(const sq_config *a, const sq_config *b, const sq_key *info)
{
    const void *x = value_at(a, info, 0), *y = value_at(b, info, 0);
    switch (info->type) {
    case SQ_KEY_LONG:
        return *(const int64_t *)x == *(const int64_t *)y;
    case SQ_KEY_REAL:
        return *(const double *)x == *(const double *)y;
    case SQ_KEY_TRIPLE:
        return memcmp(x, y, 3 * sizeof(float)) == 0;
    case SQ_KEY_TEXT:
    case SQ_KEY_FILE_PATH:
        return strcmp(*(char *const *)x, *(char *const *)y) == 0;
    default:
        return *(const int *)x == *(const int *)y;
    }
}

const char *sq_config_difference(const sq_config *a, const sq_config *b)
{
    static const char aside[] = " data.cache data.cache_mb data.threads data.ring data.max_bad train.log_every "
                                "train.checkpoint_every train.keep train.keep_every train.timeline_steps ";
    for (int i = 0; i < sq_key_count; i++) {
        const char *key = sq_keys[i].key;
        char word[64];
        (void)snprintf(word, sizeof word, " %s ", key);
        const bool decides = strncmp(key, "data.", 5) == 0 || strncmp(key, "train.", 6) == 0 ||
                             strcmp(key, "space") == 0 || strcmp(key, "seed") == 0;
        if (decides && !strstr(aside, word) && !is_same(a, b, &sq_keys[i]))
            return key;
    }
    return NULL;
}

bool sq_config_describe(int index, const char **key, const char **initial, const char **meaning)
{
    if (index >= sq_key_count)
        return false;
    *key = sq_keys[index].key;
    *initial = sq_keys[index].initial;
    *meaning = sq_keys[index].meaning;
    return true;
}
