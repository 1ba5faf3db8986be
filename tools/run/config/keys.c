/* The table of keys. */
#include "tools/run/config/keys.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(sq_config, field)
#define BIG       1e15
#define TRAINING  true  /* the key affects the result of a training */
#define OTHER     false /* the key affects only a search, the speed, logs or files */

/* These macros turn rows of SQ_SEARCHER_OPTION_TABLE into keys. The comma is part of the row. */
#define SEARCHER_INTEGER(searcher, name, initial, least, most, meaning)                                                \
    {"search." #name, SQ_KEY_INT, AT(search.name), #initial, least, most, NULL, OTHER, #searcher ": " meaning},
#define SEARCHER_REAL(searcher, name, initial, least, most, meaning)                                                   \
    {"search." #name, SQ_KEY_REAL, AT(search.name), #initial, least, most, NULL, OTHER, #searcher ": " meaning},

const sq_key sq_keys[] = {
    {"space", SQ_KEY_FILE_PATH, AT(space), "configs/spaces/spos.yaml", 0, 0, NULL, TRAINING, "search space file"},
    {"device", SQ_KEY_TEXT, AT(device), "auto", 0, 0, NULL, OTHER,
     "compute device: auto, cuda, cuda:N, cpu or reference"},
    {"graphs", SQ_KEY_WORD, AT(graphs), "on", 0, 1, "off on", OTHER,
     "cuda: run programs as CUDA graphs; both values give the same bits"},
    {"engine", SQ_KEY_WORD, AT(engine), "squall", 0, 2, "squall vendor auto", OTHER,
     "cuda: kernels of squall, of the vendor (cuDNN, cuBLASLt), or auto: the faster ones, measured for each GPU and "
     "shape; the last bits of results depend on it"},
    {"threads", SQ_KEY_INT, AT(threads), "0", 0, 1024, NULL, OTHER, "threads of the device; 0: all cores"},
    {"seed", SQ_KEY_LONG, AT(seed), "0", 0, BIG, NULL, TRAINING, "seed of all random numbers"},
    {"write_retries", SQ_KEY_INT, AT(train.write_retries), "5", 0, 1000, NULL, OTHER,
     "retries when a checkpoint, log or state cannot be written, after 0.5, 1, 2, 4, 8, 8, ... seconds"},
    {"data.train", SQ_KEY_FILE_PATH, AT(data.train), "", 0, 0, NULL, TRAINING,
     "training images: a folder or tar with train/<class>/<image>, or packed shards"},
    {"data.val", SQ_KEY_FILE_PATH, AT(data.val), "", 0, 0, NULL, TRAINING,
     "test images with val/<class>/<image>; empty: in data.train"},
    {"data.held_out", SQ_KEY_REAL, AT(data.held_out), "0.1", 0, 0.9, NULL, TRAINING,
     "share of the training images that is kept for the search"},
    {"data.classes", SQ_KEY_INT, AT(data.classes), "0", 0, 1e6, NULL, TRAINING, "use only the first N classes; 0: all"},
    {"data.resolution", SQ_KEY_INT, AT(data.resolution), "0", 0, 4096, NULL, TRAINING,
     "height and width of the input; 0: the space's"},
    {"data.mean", SQ_KEY_TRIPLE, AT(data.mean), "0.485, 0.456, 0.406", -BIG, BIG, NULL, TRAINING,
     "mean of the pixels in 0..1: red, green, blue"},
    {"data.std", SQ_KEY_TRIPLE, AT(data.std), "0.229, 0.224, 0.225", 1e-9, BIG, NULL, TRAINING,
     "standard deviation of the pixels in 0..1: red, green, blue"},
    {"data.range", SQ_KEY_WORD, AT(data.range), "unit", 0, 1, "unit raw", TRAINING,
     "pixel values: unit: 0..1, normalized; raw: 0..255, as SPOS trains"},
    {"data.channel_order", SQ_KEY_WORD, AT(data.channel_order), "rgb", 0, 1, "rgb bgr", TRAINING,
     "order of the colour channels; SPOS trains with bgr"},
    {"data.crop_fraction", SQ_KEY_REAL, AT(data.transform.crop_fraction), "0.875", 0.01, 1, NULL, TRAINING,
     "evaluation: side of the centre crop as a share of the short side"},
    {"data.area_min", SQ_KEY_REAL, AT(data.transform.area_min), "0.08", 1e-4, 1, NULL, TRAINING,
     "random resized crop: smallest area as a share of the image"},
    {"data.area_max", SQ_KEY_REAL, AT(data.transform.area_max), "1", 1e-4, 1, NULL, TRAINING,
     "random resized crop: largest area as a share of the image"},
    {"data.aspect_min", SQ_KEY_REAL, AT(data.transform.aspect_min), "0.75", 0.05, 20, NULL, TRAINING,
     "random resized crop: smallest ratio of width to height"},
    {"data.aspect_max", SQ_KEY_REAL, AT(data.transform.aspect_max), "1.3333333333333333", 0.05, 20, NULL, TRAINING,
     "random resized crop: largest ratio of width to height"},
    {"data.flip", SQ_KEY_REAL, AT(data.transform.flip), "0.5", 0, 1, NULL, TRAINING,
     "probability of a horizontal flip"},
    {"data.brightness", SQ_KEY_REAL, AT(data.transform.brightness), "0", 0, 10, NULL, TRAINING,
     "colour jitter: strength of the brightness change; SPOS: 0.4"},
    {"data.contrast", SQ_KEY_REAL, AT(data.transform.contrast), "0", 0, 10, NULL, TRAINING,
     "colour jitter: strength of the contrast change; SPOS: 0.4"},
    {"data.saturation", SQ_KEY_REAL, AT(data.transform.saturation), "0", 0, 10, NULL, TRAINING,
     "colour jitter: strength of the saturation change; SPOS: 0.4"},
    {"data.decode", SQ_KEY_WORD, AT(data.decode), "exact", 0, 1, "exact draft", TRAINING,
     "training: exact, or draft: JPEG decoded at 1/2, 1/4 or 1/8 where a crop is much larger than the input, as "
     "Pillow's draft mode; evaluation is exact"},
    {"data.cache", SQ_KEY_WORD, AT(data.cache), "none", 0, 2, "none ram device", OTHER,
     "keep training images in memory, with the same bits: ram: as many as fit, decoded or encoded; device: all, "
     "decoded, on the compute device"},
    {"data.cache_mb", SQ_KEY_INT, AT(data.cache_mb), "0", 0, 1e9, NULL, OTHER,
     "size limit of a process's cache in 2^20 bytes; 0: half of the free memory"},
    {"data.threads", SQ_KEY_INT, AT(data.threads), "0", 0, 256, NULL, OTHER, "decoding threads; 0: one per core"},
    {"data.ring", SQ_KEY_INT, AT(data.ring), "4", 2, 1024, NULL, OTHER,
     "largest number of batches that are decoded ahead; the loader adapts the number to the measured rates"},
    {"data.max_bad", SQ_KEY_INT, AT(data.max_bad), "100", 0, 1e9, NULL, OTHER,
     "stop after more than N undecodable images"},
    {"train.sync_batch_norm", SQ_KEY_WORD, AT(sync_batch_norm), "off", 0, 1, "off on", TRAINING,
     "several ranks: batch norm uses the images of all ranks, as one rank with the whole batch would (cpu only)"},
    {"train.steps", SQ_KEY_LONG, AT(train.steps), "150000", 1, BIG, NULL, TRAINING, "number of training steps"},
    {"train.batch", SQ_KEY_INT, AT(train.batch), "1024", 2, 65536, NULL, TRAINING, "images per step, over all ranks"},
    {"train.lr", SQ_KEY_REAL, AT(lr), "0.5", 0, BIG, NULL, TRAINING, "learning rate after the warm-up"},
    {"train.final_lr", SQ_KEY_REAL, AT(final_lr), "0", 0, BIG, NULL, TRAINING, "learning rate at the last step"},
    {"train.lr_batch", SQ_KEY_INT, AT(lr_batch), "0", 0, 1e9, NULL, TRAINING,
     "batch that train.lr and train.final_lr are meant for; for another train.batch they are scaled by train.lr_rule; "
     "0: no scaling"},
    {"train.lr_rule", SQ_KEY_WORD, AT(lr_rule), "linear", 0, 1, "linear sqrt", TRAINING,
     "scaling of the learning rate with the batch: linear (Goyal et al. 2017) or sqrt, with its square root "
     "(Krizhevsky 2014)"},
    {"train.schedule", SQ_KEY_WORD, AT(train.schedule.kind), "linear", 0, SQ_SCHEDULES - 1, SQ_SCHEDULE_WORDS, TRAINING,
     "shape of the learning rate after the warm-up"},
    {"train.warmup_steps", SQ_KEY_LONG, AT(train.schedule.warmup_steps), "0", 0, BIG, NULL, TRAINING,
     "steps over which the learning rate rises linearly from 0"},
    {"train.momentum", SQ_KEY_REAL, AT(train.momentum), "0.9", 0, 0.99999, NULL, TRAINING, "momentum of SGD"},
    {"train.weight_decay", SQ_KEY_REAL, AT(train.weight_decay), "4e-5", 0, 1, NULL, TRAINING,
     "weight decay, for weights with more than one dimension"},
    {"train.label_smoothing", SQ_KEY_REAL, AT(train.label_smoothing), "0.1", 0, 0.99, NULL, TRAINING,
     "label smoothing of the cross-entropy"},
    {"train.ema", SQ_KEY_REAL, AT(train.average_decay), "0", 0, 0.999999, NULL, TRAINING,
     "decay of the exponential moving average of the weights; 0: none"},
    {"train.sampler", SQ_KEY_WORD, AT(train.sampler.sampling), "uniform", 0, SQ_SAMPLERS - 1, SQ_SAMPLER_WORDS, TRAINING,
     "sampling of a step's paths" SQ_SAMPLER_MEANINGS},
    {"train.paths", SQ_KEY_INT, AT(train.sampler.paths), "1", 1, SQ_MAX_PATHS, NULL, TRAINING,
     "paths per step, trained on the same batch before one update; fair: the number of choices per layer"},
    {"train.gradients", SQ_KEY_WORD, AT(train.gradients), "sum", 0, 1, "sum mean", TRAINING,
     "gradients of a step's paths: their sum (FairNAS) or their mean"},
    {"train.reduction", SQ_KEY_WORD, AT(reduction), "float32", SQ_F32, SQ_BF16, "float32 bfloat16", TRAINING,
     "several ranks: data type of gradients in transit; bfloat16 halves the bytes and rounds"},
    {"train.rank_paths", SQ_KEY_WORD, AT(train.rank_paths), "all", 0, 1, "all own", TRAINING,
     "several ranks: all: each rank trains all paths of a step on its images; own: each rank trains an equal share of "
     "the paths"},
    {"train.bin_low", SQ_KEY_REAL, AT(train.sampler.bin_low), "290", 0, BIG, NULL, TRAINING,
     "cost_bins: smallest multiply-adds of a path, in millions"},
    {"train.bin_high", SQ_KEY_REAL, AT(train.sampler.bin_high), "360", 0, BIG, NULL, TRAINING,
     "cost_bins: largest multiply-adds of a path, in millions"},
    {"train.bin_width", SQ_KEY_REAL, AT(train.sampler.bin_width), "10", 1e-9, BIG, NULL, TRAINING,
     "cost_bins: width of a bin, in millions of multiply-adds"},
    {"train.log_every", SQ_KEY_INT, AT(train.log_every), "50", 1, 1e9, NULL, OTHER, "steps between log lines"},
    {"train.timeline_steps", SQ_KEY_INT, AT(train.timeline_steps), "10", 1, 10000, NULL, OTHER,
     "steps that --timeline records, from the first one on"},
    {"train.checkpoint_every", SQ_KEY_INT, AT(train.checkpoint_every), "1000", 1, 1e9, NULL, OTHER,
     "steps between checkpoints"},
    {"train.keep", SQ_KEY_INT, AT(train.keep), "2", 1, 1e6, NULL, OTHER, "number of newest checkpoints to keep"},
    {"train.nonfinite", SQ_KEY_WORD, AT(train.nonfinite), "stop", 0, 2, "stop skip rollback", TRAINING,
     "reaction to a nonfinite loss, gradient or weight: stop; skip the step; rollback: load the last checkpoint and "
     "continue with the next step"},
    {"train.nonfinite_limit", SQ_KEY_INT, AT(train.nonfinite_limit), "10", 0, 1e9, NULL, TRAINING,
     "stop after more than N nonfinite steps in the run"},
    {"train.keep_every", SQ_KEY_INT, AT(train.keep_every), "0", 0, 1e6, NULL, OTHER,
     "also keep each Nth checkpoint: steps that are multiples of N * checkpoint_every; 0: none"},
    {"train.from", SQ_KEY_FILE_PATH, AT(train_from), "", 0, 0, NULL, TRAINING,
     "run of the same space whose newest checkpoint gives the initial weights; empty: random weights"},
    {"ranks.time_limit", SQ_KEY_REAL, AT(ranks_time_limit), "600", 1, BIG, NULL, OTHER,
     "several ranks: seconds without an answer after which a rank counts as lost"},
    {"ranks.check_every", SQ_KEY_INT, AT(train.check_every), "1000", 0, 1e9, NULL, OTHER,
     "several ranks: steps between comparisons of the ranks' weights; 0: never"},
    {"layers.search", SQ_KEY_TEXT, AT(layers_search), "", 0, 0, NULL, OTHER,
     "searched layers that may vary, as ranges from 1 (9-20); empty: all"},
    {"layers.fixed", SQ_KEY_TEXT, AT(layers_fixed), "", 0, 0, NULL, OTHER,
     "architecture of the other layers: a tuple or a file with one"},
    {"search.searcher", SQ_KEY_WORD, AT(search.kind), "evolution", 0, SQ_SEARCHERS - 1, SQ_SEARCHER_WORDS, OTHER,
     "search method"},
    {"search.population", SQ_KEY_INT, AT(search.population), "50", 1, 1e6, NULL, OTHER,
     "candidates per generation; population * (generations + 1) is the budget of every method"},
    {"search.generations", SQ_KEY_INT, AT(search.generations), "20", 0, 1e6, NULL, OTHER,
     "generations after the first, random one"},
    {"search.parents", SQ_KEY_INT, AT(search.parents), "10", 1, 1e6, NULL, OTHER,
     "evolution: number of best candidates that produce children"},
    {"search.crossover", SQ_KEY_INT, AT(search.crossover), "25", 0, 1e6, NULL, OTHER,
     "evolution: children by crossover, per generation"},
    {"search.mutation", SQ_KEY_INT, AT(search.mutation), "25", 0, 1e6, NULL, OTHER,
     "evolution: children by mutation, per generation"},
    {"search.mutation_probability", SQ_KEY_REAL, AT(search.mutation_probability), "0.1", 0, 1, NULL, OTHER,
     "evolution: probability that a layer mutates"},
    {"search.tries", SQ_KEY_INT, AT(search.tries), "10", 1, 1e6, NULL, OTHER,
     "draws for a child that is new and within the limits, before a random path replaces it"},
    {"search.objectives", SQ_KEY_OBJECTIVES, AT(search.objectives), "accuracy, macs", 0, 0, NULL, OTHER,
     "objectives of nsga2 and of the Pareto front: accuracy and one or more of " SQ_OBJECTIVE_WORDS "latency.2 ..."},
    {"search.reference", SQ_KEY_POINT, AT(search.reference), "", 0, 0, NULL, OTHER,
     "reference point of the hypervolume, one number per objective; empty: accuracy 0 and the largest observed costs"},
    SQ_SEARCHER_OPTION_TABLE(SEARCHER_INTEGER, SEARCHER_REAL){"search.random_paths", SQ_KEY_INT,
                                                              AT(search.random_paths), "20", 0, 1e6, NULL, OTHER,
                                                              "random paths to score as a baseline"},
    {"search.calibration_images", SQ_KEY_INT, AT(search.calibration_images), "20000", 2, 1e9, NULL, OTHER,
     "training images that calibrate the batch norm of a candidate"},
    {"search.calibration_batch", SQ_KEY_INT, AT(search.calibration_batch), "128", 2, 65536, NULL, OTHER,
     "batch of the calibration"},
    {"search.evaluation_images", SQ_KEY_INT, AT(search.evaluation_images), "0", 0, 1e9, NULL, OTHER,
     "held-out images that score a candidate; 0: all"},
    {"search.evaluation_batch", SQ_KEY_INT, AT(search.evaluation_batch), "200", 0, 65536, NULL, OTHER,
     "batch of the evaluation; 0: the fastest, measured once per search"},
    {"search.together", SQ_KEY_INT, AT(search.together), "50", 1, 1024, NULL, OTHER,
     "candidates that are evaluated together; a stopped search loses at most these"},
    {"search.cache_mb", SQ_KEY_INT, AT(search.cache_mb), "2048", 0, 1e9, NULL, OTHER,
     "memory for activations that candidates share during evaluation, in 2^20 bytes"},
    {"search.limit_macs", SQ_KEY_REAL, AT(search.limits.macs), "0", 0, BIG, NULL, OTHER,
     "largest multiply-adds, in millions; 0: no limit"},
    {"search.limit_parameters", SQ_KEY_REAL, AT(search.limits.parameters), "0", 0, BIG, NULL, OTHER,
     "largest number of parameters, in millions; 0: no limit"},
    {"search.limit_memory_mb", SQ_KEY_REAL, AT(search.limits.memory_mb), "0", 0, BIG, NULL, OTHER,
     "largest live activations of one FP32 image, in 10^6 bytes; 0: no limit"},
    {"latency.device", SQ_KEY_FILE_PATH, AT(latency[0].device), "", 0, 0, NULL, OTHER,
     "device to predict for: a folder or a table in another dialect; a list of such mappings: several devices"},
    {"latency.limit_ms", SQ_KEY_REAL, AT(latency[0].limit_ms), "0", 0, BIG, NULL, OTHER,
     "largest predicted latency in milliseconds; 0: no limit"},
    {"latency.margin", SQ_KEY_REAL, AT(latency[0].margin), "0", 0, 100, NULL, OTHER,
     "standard deviations of the prediction to add before the limit applies"},
    {"latency.limit_energy_mj", SQ_KEY_REAL, AT(latency[0].limit_energy_mj), "0", 0, BIG, NULL, OTHER,
     "largest predicted energy in millijoules; 0: no limit"},
    {"latency.limit_area_mm2", SQ_KEY_REAL, AT(latency[0].limit_area_mm2), "0", 0, BIG, NULL, OTHER,
     "largest predicted chip area in square millimetres; 0: no limit"},
    {"latency.fill", SQ_KEY_WORD, AT(latency[0].fill), "none", 0, SQ_FILLS - 1, SQ_FILL_WORDS, OTHER,
     "blocks without a table entry: an error, interpolated from blocks of their kind, or from the device's roofline"},
    {"stages.groups", SQ_KEY_TEXT, AT(stages.groups), "", 0, 0, NULL, OTHER,
     "search in stages: groups of searched layers in the order of the stages (9-20, 1-8); empty: one group"},
    {"stages.steps", SQ_KEY_TEXT, AT(stages.steps), "", 0, 0, NULL, OTHER,
     "training steps of each stage: one number for all or one per stage; empty: train.steps"},
    {"stages.lr", SQ_KEY_TEXT, AT(stages.lr), "", 0, 0, NULL, OTHER,
     "learning rate of each stage: one number for all or one per stage; empty: train.lr"},
    {"stages.start", SQ_KEY_TEXT, AT(stages.start), "score", 0, 0, NULL, OTHER,
     "choices of layers before their stage: score (best capacity per latency), middle (median latency, which leaves "
     "later stages a part of the limit), or an architecture"},
    {"export.opset", SQ_KEY_INT, AT(opset), "13", 13, 21, NULL, OTHER, "ONNX operator set"},
};

const int sq_key_count = sizeof sq_keys / sizeof *sq_keys;
static_assert(sizeof sq_keys / sizeof *sq_keys <= SQ_KEY_LIMIT, "the names of all keys fit into one list");

static const char device_section[] = "latency.";

bool sq_key_is_per_device(const sq_key *key)
{
    return strncmp(key->key, device_section, sizeof device_section - 1) == 0;
}

int sq_key_devices(const sq_key *key)
{
    return sq_key_is_per_device(key) ? SQ_MAX_DEVICES : 1;
}

bool sq_key_has_section(const char *section)
{
    for (int i = 0; i < sq_key_count; i++)
        if (strncmp(sq_keys[i].key, section, strlen(section)) == 0)
            return true;
    return false;
}

const sq_key *sq_key_find(const char *name, int *device)
{
    char plain[SQ_KEY_BYTES];
    int from = 0, number = 0;
    *device = 0;
    if (sscanf(name, "latency.%1d.%n", &number, &from) == 1 && from > 0 && number >= 1 && number <= SQ_MAX_DEVICES) {
        *device = number - 1;
        (void)snprintf(plain, sizeof plain, "%s%s", device_section, name + from);
        name = plain;
    } else if (strcmp(name, "latency") == 0) {
        name = "latency.device";
    }
    for (int i = 0; i < sq_key_count; i++)
        if (strcmp(sq_keys[i].key, name) == 0)
            return &sq_keys[i];
    return NULL;
}
