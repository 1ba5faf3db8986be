/* The configuration: a table of keys over one struct. */
#include "tools/config.h"

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
#include "tools/share.h"

enum { PATH_BYTES = 4096, VALUE_BYTES = 4096 };

typedef enum { INT, LONG, REAL, TRIPLE, TEXT, FILE_PATH, WORD, OBJECTIVES, POINT } key_type;

typedef struct {
    const char *key;
    key_type type;
    size_t offset;
    const char *initial;
    double minimum, maximum;
    const char *words; /* of a WORD: names of 0, 1, ..., each followed by a space */
    const char *meaning;
} key_info;

#define AT(field) offsetof(sq_config, field)
#define BIG       1e15

static const key_info keys[] = {
    {"space", FILE_PATH, AT(space), "configs/spaces/spos.yaml", 0, 0, NULL, "space file"},
    {"device", TEXT, AT(device), "auto", 0, 0, NULL, "backend: auto, cuda, cuda:N, cpu, reference"},
    {"graphs", WORD, AT(graphs), "on", 0, 1, "off on ",
     "cuda: programs as CUDA graphs; off: plain launches, the same bits"},
    {"engine", WORD, AT(engine), "squall", 0, 2, "squall vendor auto ",
     "cuda: whose kernels; vendor: cuDNN and cuBLASLt, auto: the faster ones, measured; the bits depend on it"},
    {"threads", INT, AT(threads), "0", 0, 1024, NULL, "threads of the backend; 0: all cores"},
    {"seed", LONG, AT(seed), "0", 0, BIG, NULL, "everything random follows from it"},
    {"data.train", FILE_PATH, AT(data.train), "", 0, 0, NULL, "images: folder or tar with train/<class>/<image>"},
    {"data.val", FILE_PATH, AT(data.val), "", 0, 0, NULL, "test images, val/<class>/<image>; empty: the same source"},
    {"data.held_out", REAL, AT(data.held_out), "0.1", 0, 0.9, NULL, "share of the training images kept for the search"},
    {"data.classes", INT, AT(data.classes), "0", 0, 1e6, NULL, "use the first so many classes; 0: all"},
    {"data.resolution", INT, AT(data.resolution), "0", 0, 4096, NULL, "side of the input; 0: the space's"},
    {"data.mean", TRIPLE, AT(data.mean), "0.485, 0.456, 0.406", -BIG, BIG, NULL,
     "of the pixels in 0..1, red, green, blue"},
    {"data.std", TRIPLE, AT(data.std), "0.229, 0.224, 0.225", 1e-9, BIG, NULL, "deviation of the pixels"},
    {"data.range", WORD, AT(data.range), "unit", 0, 1, "unit raw ",
     "unit: 0..1, normalised; raw: 0..255 as they are (SPOS)"},
    {"data.channel_order", WORD, AT(data.channel_order), "rgb", 0, 1, "rgb bgr ", "bgr: as SPOS trains"},
    {"data.crop_fraction", REAL, AT(data.transform.crop_fraction), "0.875", 0.01, 1, NULL,
     "evaluation: share of the short side kept"},
    {"data.area_min", REAL, AT(data.transform.area_min), "0.08", 1e-4, 1, NULL,
     "random resized crop: smallest share of the image"},
    {"data.area_max", REAL, AT(data.transform.area_max), "1", 1e-4, 1, NULL, "largest share of the image"},
    {"data.aspect_min", REAL, AT(data.transform.aspect_min), "0.75", 0.05, 20, NULL, "narrowest crop"},
    {"data.aspect_max", REAL, AT(data.transform.aspect_max), "1.3333333333333333", 0.05, 20, NULL, "widest crop"},
    {"data.flip", REAL, AT(data.transform.flip), "0.5", 0, 1, NULL, "probability of a horizontal flip"},
    {"data.brightness", REAL, AT(data.transform.brightness), "0", 0, 10, NULL, "colour jitter; SPOS: 0.4"},
    {"data.contrast", REAL, AT(data.transform.contrast), "0", 0, 10, NULL, "colour jitter"},
    {"data.saturation", REAL, AT(data.transform.saturation), "0", 0, 10, NULL, "colour jitter"},
    {"data.threads", INT, AT(data.threads), "0", 0, 256, NULL, "decoding threads; 0: one per core"},
    {"data.ring", INT, AT(data.ring), "4", 2, 1024, NULL, "batches decoded ahead"},
    {"data.max_bad", INT, AT(data.max_bad), "100", 0, 1e9, NULL, "more undecodable images stop the run"},
    {"train.steps", LONG, AT(train.steps), "150000", 1, BIG, NULL, "steps in all"},
    {"train.batch", INT, AT(train.batch), "1024", 2, 65536, NULL, "images per step"},
    {"train.lr", REAL, AT(train.schedule.base), "0.5", 0, BIG, NULL, "learning rate after the warm-up"},
    {"train.final_lr", REAL, AT(train.schedule.final), "0", 0, BIG, NULL, "learning rate after the last step"},
    {"train.schedule", WORD, AT(train.schedule.kind), "linear", 0, 2, "constant linear cosine ",
     "constant, linear or cosine"},
    {"train.warmup_steps", LONG, AT(train.schedule.warmup_steps), "0", 0, BIG, NULL, "linear from 0"},
    {"train.momentum", REAL, AT(train.momentum), "0.9", 0, 0.99999, NULL, "of SGD"},
    {"train.weight_decay", REAL, AT(train.weight_decay), "4e-5", 0, 1, NULL, "on weights of more than one dimension"},
    {"train.label_smoothing", REAL, AT(train.label_smoothing), "0.1", 0, 0.99, NULL, "of the cross-entropy"},
    {"train.ema", REAL, AT(train.average_decay), "0", 0, 0.999999, NULL,
     "decay of the moving average of weights; 0: none"},
    {"train.sampler", WORD, AT(train.sampler.sampling), "uniform", 0, 1, "uniform cost_bins ",
     "how a step draws its path"},
    {"train.bin_low", REAL, AT(train.sampler.bin_low), "290", 0, BIG, NULL,
     "cost_bins: lowest multiply-adds, millions"},
    {"train.bin_high", REAL, AT(train.sampler.bin_high), "360", 0, BIG, NULL, "cost_bins: highest"},
    {"train.bin_width", REAL, AT(train.sampler.bin_width), "10", 1e-9, BIG, NULL, "cost_bins: width"},
    {"train.log_every", INT, AT(train.log_every), "50", 1, 1e9, NULL, "steps between log lines"},
    {"train.checkpoint_every", INT, AT(train.checkpoint_every), "1000", 1, 1e9, NULL, "steps between checkpoints"},
    {"train.keep", INT, AT(train.keep), "2", 1, 1e6, NULL, "newest checkpoints kept"},
    {"search.searcher", WORD, AT(search.kind), "evolution", 0, 4, "evolution random nsga2 annealing halving ",
     "evolution, random, nsga2, annealing or halving"},
    {"search.population", INT, AT(search.population), "50", 1, 1e6, NULL,
     "candidates of a generation; times generations + 1: the budget of every searcher"},
    {"search.generations", INT, AT(search.generations), "20", 0, 1e6, NULL, "after the first, random one"},
    {"search.parents", INT, AT(search.parents), "10", 1, 1e6, NULL, "best candidates of all generations that breed"},
    {"search.crossover", INT, AT(search.crossover), "25", 0, 1e6, NULL, "children by crossover"},
    {"search.mutation", INT, AT(search.mutation), "25", 0, 1e6, NULL, "children by mutation"},
    {"search.mutation_probability", REAL, AT(search.mutation_probability), "0.1", 0, 1, NULL, "of each layer"},
    {"search.tries", INT, AT(search.tries), "10", 1, 1e6, NULL, "per wanted child, then a random path"},
    {"search.objectives", OBJECTIVES, AT(search.objectives), "accuracy, macs", 0, 0, NULL,
     "of nsga2 and of the front: accuracy and macs, parameters, memory, latency, latency.2, energy, ..."},
    {"search.reference", POINT, AT(search.reference), "", 0, 0, NULL,
     "point of the hypervolume, a number for each objective; empty: 0 accuracy and the worst costs told"},
    {"search.nsga_crossover", REAL, AT(search.nsga_crossover), "0.9", 0, 1, NULL,
     "nsga2: probability that a child has two parents"},
    {"search.nsga_mutation", REAL, AT(search.nsga_mutation), "0.1", 0, 1, NULL, "nsga2: of each layer of a child"},
    {"search.chains", INT, AT(search.chains), "1", 1, 1e6, NULL, "annealing: chains side by side, sharing the budget"},
    {"search.temperature", REAL, AT(search.temperature), "1", 1e-9, BIG, NULL,
     "annealing: at first, percentage points of top-1"},
    {"search.final_temperature", REAL, AT(search.final_temperature), "0.05", 1e-9, BIG, NULL, "annealing: at last"},
    {"search.eta", INT, AT(search.eta), "3", 2, 1000, NULL,
     "halving: one in so many goes on, to so many times as many images"},
    {"search.rungs", INT, AT(search.rungs), "3", 1, 8, NULL,
     "halving: rungs; the budget is that of images through the network, calibration included"},
    {"search.random_paths", INT, AT(search.random_paths), "20", 0, 1e6, NULL, "random paths scored as a baseline"},
    {"search.calibration_images", INT, AT(search.calibration_images), "20000", 2, 1e9, NULL,
     "training images for batch norm, per candidate"},
    {"search.calibration_batch", INT, AT(search.calibration_batch), "128", 2, 65536, NULL, "their batch"},
    {"search.evaluation_images", INT, AT(search.evaluation_images), "0", 0, 1e9, NULL,
     "held-out images scored; 0: all"},
    {"search.evaluation_batch", INT, AT(search.evaluation_batch), "200", 1, 65536, NULL, "their batch"},
    {"search.limit_macs", REAL, AT(search.limits.macs), "0", 0, BIG, NULL, "most multiply-adds, millions; 0: no limit"},
    {"search.limit_parameters", REAL, AT(search.limits.parameters), "0", 0, BIG, NULL, "most parameters, millions"},
    {"search.limit_memory_mb", REAL, AT(search.limits.memory_mb), "0", 0, BIG, NULL,
     "most live activations of one image in FP32, 10^6 bytes"},
    {"latency.device", FILE_PATH, AT(latency[0].device), "", 0, 0, NULL,
     "device to predict for: a folder or a table in another dialect; a list of such mappings: several devices"},
    {"latency.limit_ms", REAL, AT(latency[0].limit_ms), "0", 0, BIG, NULL, "highest predicted latency; 0: no limit"},
    {"latency.margin", REAL, AT(latency[0].margin), "0", 0, 100, NULL,
     "deviations of the prediction that must fit below the limit too"},
    {"latency.limit_energy_mj", REAL, AT(latency[0].limit_energy_mj), "0", 0, BIG, NULL, "highest predicted energy"},
    {"latency.limit_area_mm2", REAL, AT(latency[0].limit_area_mm2), "0", 0, BIG, NULL, "largest predicted area"},
    {"latency.fill", WORD, AT(latency[0].fill), "none", 0, 2, "none interpolate roofline ",
     "missing blocks: an error, or from blocks of their kind, or by the device's roofline"},
    {"export.opset", INT, AT(opset), "13", 13, 21, NULL, "ONNX operator set"},
};

enum { KEYS = sizeof keys / sizeof *keys };

/* ---- Values ---- */

static sq_status wrong(const char *where, const key_info *info, const char *value)
{
    if (info->type == WORD)
        return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted one of: %s", where, info->key, value, info->words);
    if (info->type == TRIPLE)
        return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted three numbers", where, info->key, value);
    if (info->type == OBJECTIVES)
        return sq_fail(
            SQ_INVALID,
            "%s: %s: '%s', wanted accuracy and up to %d different ones of macs, parameters, memory, latency, "
            "latency.2, energy, energy.2, ...",
            where, info->key, value, SQ_MAX_OBJECTIVES - 1);
    if (info->type == POINT)
        return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted up to %d numbers", where, info->key, value, SQ_MAX_OBJECTIVES);
    return sq_fail(SQ_INVALID, "%s: %s: '%s', wanted %s from %g to %g", where, info->key, value,
                   info->type == REAL ? "a number" : "a whole number", info->minimum, info->maximum);
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

static bool set_triple(const key_info *info, const char *value, float *out)
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
static bool is_repeated(const key_info *info)
{
    return strncmp(info->key, "latency.", 8) == 0;
}

static void *address(sq_config *config, const key_info *info, int device)
{
    return (char *)config + info->offset + (size_t)device * sizeof *config->latency;
}

static const void *value_at(const sq_config *config, const key_info *info, int device)
{
    return (const char *)config + info->offset + (size_t)device * sizeof *config->latency;
}

static sq_status set(sq_config *config, const key_info *info, int device, const char *value, const char *where)
{
    void *to = address(config, info, device);
    int64_t whole;
    double number;
    int word;
    switch (info->type) {
    case INT:
        if (!sq_text_int(value, (int64_t)info->minimum, (int64_t)info->maximum, &whole))
            return wrong(where, info, value);
        *(int *)to = (int)whole;
        return SQ_OK;
    case LONG:
        if (!sq_text_int(value, (int64_t)info->minimum, (int64_t)info->maximum, (int64_t *)to))
            return wrong(where, info, value);
        return SQ_OK;
    case REAL:
        if (!sq_text_double(value, info->minimum, info->maximum, &number))
            return wrong(where, info, value);
        *(double *)to = number;
        return SQ_OK;
    case TRIPLE:
        return set_triple(info, value, to) ? SQ_OK : wrong(where, info, value);
    case OBJECTIVES:
        return sq_objectives_read(value, to) ? SQ_OK : wrong(where, info, value);
    case POINT:
        return sq_point_read(value, to) ? SQ_OK : wrong(where, info, value);
    case WORD:
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
static const key_info *find_key(const char *key, int *device)
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
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i].key, key) == 0)
            return &keys[i];
    return NULL;
}

static sq_status set_by_name(sq_config *config, const char *key, const char *value, const char *where)
{
    const char *names[KEYS];
    int device;
    const key_info *info = find_key(key, &device);
    if (info)
        return set(config, info, device, value, where);
    for (int i = 0; i < KEYS; i++)
        names[i] = keys[i].key;
    const char *nearest = sq_text_nearest(key, names, KEYS);
    return sq_fail(SQ_INVALID, "%s: unknown key '%s'%s%s%s", where, key, nearest ? ", did you mean '" : "",
                   nearest ? nearest : "", nearest ? "'?" : "");
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

static sq_status read_mapping(sq_config *config, const char *path, yaml_document_t *document,
                              const yaml_node_t *mapping, const char *prefix)
{
    for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < mapping->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(document, p->key),
                          *value = yaml_document_get_node(document, p->value);
        char name[256], where[PATH_BYTES + 32], text[VALUE_BYTES];
        if (!key || !value || key->type != YAML_SCALAR_NODE)
            return sq_fail(SQ_INVALID, "%s: wanted 'key: value'", path);
        (void)snprintf(where, sizeof where, "%.4000s:%zu", path, key->start_mark.line + 1);
        if ((size_t)snprintf(name, sizeof name, "%s%s", prefix, (const char *)key->data.scalar.value) >=
            sizeof name - 2)
            return sq_fail(SQ_INVALID, "%s: a key of more than 250 letters", where);
        if (value->type == YAML_MAPPING_NODE) {
            (void)strcat(name, ".");
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

static sq_status read_document(void *context, const char *path, yaml_document_t *document, const yaml_node_t *root)
{
    if (root && root->type != YAML_MAPPING_NODE)
        return sq_fail(SQ_INVALID, "%s:1: wanted a mapping of keys", path);
    return root ? read_mapping(context, path, document, root, "") : SQ_OK;
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
    char folder[PATH_BYTES], candidate[PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s", path ? path : ".");
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = 0;
    else
        (void)snprintf(folder, sizeof folder, ".");
    for (int i = 0; i < KEYS; i++)
        for (int device = 0; device < (is_repeated(&keys[i]) ? SQ_MAX_DEVICES : 1); device++) {
            char **value = address(config, &keys[i], device);
            if (keys[i].type != FILE_PATH || !**value || try_path(value, *value))
                continue;
            if (sq_text_path(candidate, sizeof candidate, folder, *value) && try_path(value, candidate))
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

sq_status sq_config_read(sq_config **out, const char *path, const char *const *overrides, int override_count)
{
    char shared[PATH_BYTES];
    sq_config *config = calloc(1, sizeof *config);
    path = path ? sq_share_find(shared, sizeof shared, path) : NULL;
    sq_status status = config ? SQ_OK : sq_fail(SQ_NO_MEMORY, "configuration");
    for (int i = 0; i < KEYS; i++)
        for (int device = 0; status == SQ_OK && device < (is_repeated(&keys[i]) ? SQ_MAX_DEVICES : 1); device++)
            status = set(config, &keys[i], device, keys[i].initial, "default");
    if (status == SQ_OK && path)
        status = sq_yaml_visit(path, config, read_document);
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
    config->train.schedule.steps = config->train.steps;
    *out = config;
    return SQ_OK;
}

void sq_config_free(sq_config *config)
{
    if (!config)
        return;
    for (int i = 0; i < KEYS; i++)
        for (int device = 0; device < (is_repeated(&keys[i]) ? SQ_MAX_DEVICES : 1); device++)
            if (keys[i].type == TEXT || keys[i].type == FILE_PATH)
                free(*(char **)address(config, &keys[i], device));
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

static void print_value(FILE *file, const sq_config *config, const key_info *info, int device)
{
    const void *from = value_at(config, info, device);
    const char *word = info->words;
    switch (info->type) {
    case INT:
        (void)fprintf(file, "%d", *(const int *)from);
        break;
    case LONG:
        (void)fprintf(file, "%lld", (long long)*(const int64_t *)from);
        break;
    case REAL:
        (void)fprintf(file, "%.17g", *(const double *)from);
        break;
    case TRIPLE:
        (void)fprintf(file, "[%.9g, %.9g, %.9g]", (double)((const float *)from)[0], (double)((const float *)from)[1],
                      (double)((const float *)from)[2]);
        break;
    case OBJECTIVES:
        print_objectives(file, from);
        break;
    case POINT:
        print_point(file, from);
        break;
    case WORD:
        for (int i = 0; i < *(const int *)from; i++)
            word += strcspn(word, " ") + 1;
        (void)fprintf(file, "%.*s", (int)strcspn(word, " "), word);
        break;
    default: /* a JSON string is a YAML string */
        (void)fputc('"', file);
        for (const char *p = *(char *const *)from; *p; p++)
            (void)fprintf(file, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
        (void)fputc('"', file);
    }
}

/* A list of the devices that there are, at least one. */
static void write_devices(FILE *file, const sq_config *config)
{
    const int count = sq_config_device_count(config);
    for (int device = 0; device < (count ? count : 1); device++) {
        const char *mark = "- ";
        for (int i = 0; i < KEYS; i++)
            if (is_repeated(&keys[i])) {
                (void)fprintf(file, "  %s%s: ", mark, strchr(keys[i].key, '.') + 1);
                print_value(file, config, &keys[i], device);
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
    char *text = NULL, section[64] = "";
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (!file)
        return sq_fail(SQ_NO_MEMORY, "%s: configuration", path);
    for (int i = 0; i < KEYS; i++) {
        const char *dot = strchr(keys[i].key, '.');
        char head[64] = "";
        if (dot)
            (void)snprintf(head, sizeof head, "%.*s", (int)(dot - keys[i].key), keys[i].key);
        if (dot && strcmp(head, section) != 0)
            (void)fprintf(file, "%s:\n", head);
        const bool is_list = is_repeated(&keys[i]) && strcmp(head, section) != 0;
        (void)snprintf(section, sizeof section, "%s", head);
        if (is_list)
            write_devices(file, config);
        if (is_repeated(&keys[i]))
            continue;
        (void)fprintf(file, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : keys[i].key);
        print_value(file, config, &keys[i], 0);
        (void)fputc('\n', file);
    }
    const bool is_whole = fclose(file) == 0;
    const sq_piece piece = {text, bytes};
    const sq_status status =
        is_whole ? sq_file_replace(path, &piece, 1) : sq_fail(SQ_NO_MEMORY, "%s: configuration", path);
    free(text);
    return status;
}

bool sq_config_describe(int index, const char **key, const char **initial, const char **meaning)
{
    if (index >= KEYS)
        return false;
    *key = keys[index].key;
    *initial = keys[index].initial;
    *meaning = keys[index].meaning;
    return true;
}
