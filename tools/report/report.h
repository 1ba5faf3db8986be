#ifndef SQ_REPORT_H
#define SQ_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "supernet/space/space.h"
#include "tools/run/asset.h"

/* These functions convert the contents of a run's folder into JSON for the page (page.c). Costs and names are stored
 * once per layer and choice. Missing, damaged or unknown parts of a run become notes and do not cause a failure.
 *
 * run.c       a folder: {name, folder, notes, settings, commands, step, training, timing, space, devices, search, bad}
 * curves.c    log.jsonl and timing.jsonl; long logs with fewer points
 * settings.c  config.yaml, flat
 * scores.c    search.json, or state.json of an unfinished search
 * network.c   layers, operators and their costs; devices, and the networks that were measured on them */

/* Returns a JSON string, in which bytes that are not UTF-8 become "?". NULL: no memory. */
json_t *sq_report_text(const char *text);
/* Adds a note about a part that cannot be shown. */
void sq_report_note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Reads a JSON file; the caller frees the result with json_decref. Returns NULL if the file is missing, and NULL with a
 * note if the file is damaged. */
json_t *sq_report_json(const char *folder, const char *name, json_t *notes);

/* ---- curves.c ---- */

/* Reads <folder>/<name>, which has one JSON object per line, into columns over "step" (int64): {lines, per, step:
 * [...], <column>: [...]}. With more than 3,000 lines, each point is the mean of `per` lines, and <column>_low and
 * <column>_high are the minimum and maximum of these lines. If a resumed run wrote a step again, the last line of this
 * step counts. Lines of events other than "step" are collected in `events`. Notes report an incomplete last line and
 * lines that are not JSON.
 *
 * columns  at most 4 names, ends with NULL
 * returns  NULL if the file is missing
 * cost     memory for one line and all numbers; 150,000 lines take about half a second */
json_t *sq_report_curves(const char *folder, const char *name, const char *const *columns, json_t *events,
                         json_t *notes);

/* ---- settings.c ---- */

/* Reads a YAML file as {"train.steps": "150000", ...}. A key of the second mapping in a list is stored as
 * latency.2.device and so on. A note lists unknown keys. Returns an empty object if the file is missing. */
json_t *sq_report_settings(const char *folder, const char *name, json_t *notes);
/* Returns a setting; "" if the setting is missing. */
const char *sq_report_setting(const json_t *settings, const char *key);
/* Returns a setting as a number, or `otherwise` if the setting is not a number from 0 to 10^15. */
double sq_report_number(const json_t *settings, const char *key, double otherwise);

/* ---- network.c ---- */

/* Returns the space of a run with the run's number of classes and resolution; NULL with a note if the space file is
 * missing. */
sq_space *sq_report_space(const char *folder, const json_t *settings, json_t *notes);
/* Returns {name, source, resolution, classes, operators: [{name, kind, kernel, expansion, se}], layers: [{h, w, c_in,
 * c_out, stride, searched, choices: [operator], macs, parameters: [of each choice, millions], ...}]}. */
json_t *sq_report_network(const sq_space *space);
/* Returns {name, measured, runtime, ..., ms: [layer][choice], networks: [[measured, deviation, predicted, path]],
 * checks: [[measured, predicted, published network]]}; NULL with a note if the device has no latencies for this
 * space. */
json_t *sq_report_device(const sq_space *space, const char *device, json_t *notes);

/* ---- scores.c ---- */

/* Returns {searcher, limits, best, random, objectives, pareto, hypervolume, is_finished, candidates: {arch, generation,
 * ...}}, in which each key of candidates is a column. An unfinished search also has `limit`, the number of all
 * candidates. Returns NULL if there is no search. space: for the costs of an unfinished search; or NULL. */
json_t *sq_report_search(const char *folder, const json_t *settings, const sq_space *space, json_t *notes);

/* ---- run.c ---- */

/* Appends a run to `runs`. For a search in stages, appends each stage to `runs` and their summary to `stages`. devices:
 * additional device folders; ends with NULL. SQ_INVALID: the folder is missing or holds no run. */
SQ_MUST_USE sq_status sq_report_run(const char *folder, const char *const *devices, json_t *runs, json_t *stages);

/* ---- page.c ---- */

/* Returns the data as JSON text for the page; the caller frees the text. NULL: no memory. */
char *sq_report_dump(const json_t *data);

/* Writes the page with its styles and scripts. The page loads nothing from a network, but a live page fetches new data
 * from its own server. Returns SQ_NO_MEMORY if memory runs out. */
SQ_MUST_USE sq_status sq_report_page(FILE *file, const json_t *data, bool is_live);

/* The files of the page. An asset of 0 bytes was not available to the build. */
extern const sq_asset sq_report_assets[]; /* ends with a NULL name */

#endif
