#ifndef SQ_REPORT_H
#define SQ_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "supernet/space/space.h"
#include "tools/run/asset.h"

/* The contents of a run's folder as JSON, for the page (page.c) that draws it. Costs and names are stored once, by
 * layer and choice. The contents of a run cause no failure: missing, damaged or unknown parts become notes.
 *
 * run.c       a folder: {name, folder, notes, settings, commands, step, training, timing, space, devices, search, bad}
 * curves.c    log.jsonl and timing.jsonl, thinned
 * settings.c  config.yaml, flat
 * scores.c    search.json, or state.json of an unfinished search
 * network.c   layers, operators and their costs; devices and what was measured on them */

/* A JSON string; bytes that are not UTF-8 become "?". NULL: no memory. */
json_t *sq_report_text(const char *text);
/* Adds a line about a part that cannot be shown. */
void sq_report_note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON file, to be freed with json_decref. NULL if the file is missing; NULL with a note if it is damaged. */
json_t *sq_report_json(const char *folder, const char *name, json_t *notes);

/* ---- curves.c ---- */

/* <folder>/<name>, one object per line, as columns over "step" (int64): {lines, per, step: [...], <column>: [...]}.
 * With more than 3,000 lines, each point is the mean of `per` lines, and <column>_low and <column>_high are their
 * minimum and maximum. Of lines that a resumed run wrote again, the last one counts. Lines of events other than "step"
 * are collected in `events`. Notes report an incomplete last line and lines that are not JSON.
 *
 * columns  at most 4 names, ends with NULL
 * returns  NULL if the file is missing
 * cost     memory for one line and all numbers; 150,000 lines take about half a second */
json_t *sq_report_curves(const char *folder, const char *name, const char *const *columns, json_t *events,
                         json_t *notes);

/* ---- settings.c ---- */

/* A YAML file as {"train.steps": "150000", ...}. Keys of the second mapping of a list are latency.2.device and so on. A
 * note lists unknown keys. An empty object if the file is missing. */
json_t *sq_report_settings(const char *folder, const char *name, json_t *notes);
/* A setting; "" if it is missing. */
const char *sq_report_setting(const json_t *settings, const char *key);
/* A setting as a number from 0 to 10^15; `otherwise` if it is not one. */
double sq_report_number(const json_t *settings, const char *key, double otherwise);

/* ---- network.c ---- */

/* The space of a run, with its number of classes and its resolution; NULL with a note if the file is missing. */
sq_space *sq_report_space(const char *folder, const json_t *settings, json_t *notes);
/* {name, source, resolution, classes, operators: [{name, kind, kernel, expansion, se}], layers: [{h, w, c_in, c_out,
 * stride, searched, choices: [operator], macs, parameters: [of each choice, millions], ...}]} */
json_t *sq_report_network(const sq_space *space);
/* {name, measured, runtime, ..., ms: [layer][choice], networks: [[measured, deviation, predicted, path]],
 * checks: [[measured, predicted, published network]]}. NULL with a note if the device has no latencies for this space.
 */
json_t *sq_report_device(const sq_space *space, const char *device, json_t *notes);

/* ---- scores.c ---- */

/* {searcher, limits, best, random, objectives, pareto, hypervolume, is_finished, candidates: {arch, generation, ...}},
 * with candidates as columns. An unfinished search also has `limit`, the number of all candidates. NULL if there is no
 * search. space: provides the costs of an unfinished search; or NULL. */
json_t *sq_report_search(const char *folder, const json_t *settings, const sq_space *space, json_t *notes);

/* ---- run.c ---- */

/* Appends a run, or each stage of a search in stages, to runs, and the summary of the stages to stages. devices: more
 * folders of devices, ends with NULL. SQ_INVALID: the folder is missing or holds no run. */
SQ_MUST_USE sq_status sq_report_run(const char *folder, const char *const *devices, json_t *runs, json_t *stages);

/* ---- page.c ---- */

/* The data as JSON text for the page, to be freed. NULL: no memory. */
char *sq_report_dump(const json_t *data);

/* Writes the page. It contains all its files and loads nothing from a network. SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_report_page(FILE *file, const json_t *data, bool is_live);

/* The files of the page. An asset of 0 bytes was not available to the build. */
extern const sq_asset sq_report_assets[]; /* ends with a NULL name */

#endif
