#ifndef SQ_REPORT_H
#define SQ_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "supernet/space/space.h"
#include "tools/run/asset.h"

/* What a run's folder says, as JSON for the page (page.c) that draws it; costs and names stand in it once, by layer and
 * choice. Nothing here fails because of a run: what is missing, torn or unknown becomes a note, and the rest is shown.
 *
 * run.c       a folder: {name, folder, notes, settings, commands, step, training, timing, space, devices, search, bad}
 * curves.c    log.jsonl and timing.jsonl, thinned
 * settings.c  config.yaml, flat
 * scores.c    search.json, or of a search that has not ended state.json
 * network.c   layers, operators and their costs; devices and what was measured on them */

/* A JSON string; what is no UTF-8 becomes "?". NULL: no memory. */
json_t *sq_report_text(const char *text);
/* Adds a line that tells what could not be shown. */
void sq_report_note(json_t *notes, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A file of JSON; NULL without a note where there is no file, NULL with one where it is damaged. Free with json_decref.
 */
json_t *sq_report_json(const char *folder, const char *name, json_t *notes);

/* ---- curves.c ---- */

/* <folder>/<name>, an object a line, as columns over "step" (int64): {lines, per, step: [...], <column>: [...]}. Of
 * more than 3,000 lines, each point is the mean of `per` of them, and <column>_low, <column>_high are their least and
 * greatest. Lines that a resumed run wrote again count once, the last time. Lines of other events than "step" are
 * collected in `events`; a torn last line and lines that are no JSON are noted.
 *
 * columns  names, ended by NULL, at most 4
 * returns  NULL where there is no such file
 * cost     one line of memory, and the numbers; 150,000 lines take about half a second */
json_t *sq_report_curves(const char *folder, const char *name, const char *const *columns, json_t *events,
                         json_t *notes);

/* ---- settings.c ---- */

/* A YAML file as {"train.steps": "150000", ...}; of a list of mappings the second one's keys are latency.2.device and
 * so on. Keys that this version does not know are noted. An empty object where there is no file. */
json_t *sq_report_settings(const char *folder, const char *name, json_t *notes);
/* A setting; "" where it is not there. */
const char *sq_report_setting(const json_t *settings, const char *key);
/* The same as a number from 0 to 10^15; `otherwise` where it is none. */
double sq_report_number(const json_t *settings, const char *key, double otherwise);

/* ---- network.c ---- */

/* The space of a run, with the classes and resolution it was trained with; NULL (and a note) where its file is gone. */
sq_space *sq_report_space(const char *folder, const json_t *settings, json_t *notes);
/* {name, source, resolution, classes, operators: [{name, kind, kernel, expansion, se}], layers: [{h, w, c_in, c_out,
 * stride, searched, choices: [operator], macs, parameters: [of each choice, millions], ...}]} */
json_t *sq_report_network(const sq_space *space);
/* {name, measured, runtime, ..., ms: [layer][choice], networks: [[measured, deviation, predicted, path]],
 * checks: [[measured, predicted, published network]]}. NULL and a note where the device says nothing of this space. */
json_t *sq_report_device(const sq_space *space, const char *device, json_t *notes);

/* ---- scores.c ---- */

/* {searcher, limits, best, random, objectives, pareto, hypervolume, is_finished, candidates: {arch, generation, ...}}:
 * columns; of a search that goes on its `limit`, candidates in all; NULL where nothing was searched. space: NULL, or
 * what gives an unfinished search its costs. */
json_t *sq_report_search(const char *folder, const json_t *settings, const sq_space *space, json_t *notes);

/* ---- run.c ---- */

/* Appends a run, or of a search in stages each stage, to runs, and the stages' summary to stages. devices: more folders
 * to look for devices in, ended by NULL. SQ_INVALID: there is no such folder, or nothing of a run in it. */
SQ_MUST_USE sq_status sq_report_run(const char *folder, const char *const *devices, json_t *runs, json_t *stages);

/* ---- page.c ---- */

/* The data as text, as the page holds it; free() it. NULL: no memory. */
char *sq_report_dump(const json_t *data);

/* The page as text: everything that it needs is inside, and nothing is asked of a network. SQ_NO_MEMORY. */
SQ_MUST_USE sq_status sq_report_page(FILE *file, const json_t *data, bool is_live);

/* The files of the page. An asset of 0 bytes was not available to the build. */
extern const sq_asset sq_report_assets[]; /* ended by a NULL name */

#endif
