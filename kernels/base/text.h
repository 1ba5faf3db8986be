#ifndef SQ_TEXT_H
#define SQ_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* Helpers for texts that users write or read. */

/* Returns the word with the smallest edit distance to `text`; NULL if no word is similar enough. */
const char *sq_text_nearest(const char *text, const char *const *words, int count);

enum { SQ_TEXT_SUGGESTION = 128 }; /* bytes of a buffer for a suggestion */
/* Writes ", did you mean 'seed'?" for the most similar word. Writes "" if no word is similar or the text does not fit.
 * Returns out. */
const char *sq_text_suggestion(char *out, size_t bytes, const char *text, const char *const *words, int count);

/* sq_text_int and sq_text_double convert the whole string and check the range. If they return false, *out is
 * unchanged. */
bool sq_text_int(const char *text, int64_t minimum, int64_t maximum, int64_t *out);
bool sq_text_double(const char *text, double minimum, double maximum, double *out);

/* The characters of file names, keys and plain YAML words. */
#define SQ_TEXT_NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

enum { SQ_PATH_BYTES = 4096 }; /* a buffer for every path that Squall builds, with the terminating NUL */

/* Writes folder/name to out, a buffer of `bytes` bytes. Returns SQ_INVALID if the path does not fit; *out is then
 * undefined. */
SQ_MUST_USE sq_status sq_text_path(char *out, size_t bytes, const char *folder, const char *name);

/* Ends the next row of a text in place, also before "\r\n", and returns it. Skips empty rows and comments (#). Returns
 * NULL at the end.
 *
 * next   the start of the next row; NULL at the end of the text
 * line   increased by the number of lines read, so it is the number of the returned line if it starts at 0 */
char *sq_text_next_row(char **next, int *line);

/* Splits a CSV row in place into at most `limit` fields and removes quotes (RFC 4180). Returns the number of fields in
 * the row, which may exceed `limit`; -1 for an unterminated quote. */
int sq_text_csv(char *row, char **fields, int limit);

/* Writes "1.23 M" or "45.6 kB": 3 significant digits with a decimal prefix. Returns out. */
char *sq_text_si(char *out, size_t bytes, double value, const char *unit);
/* Writes "2 h 05 min", "3 min 20 s" or "14 s". Returns out. */
char *sq_text_duration(char *out, size_t bytes, double seconds);

/* Returns the 64-bit FNV-1a hash of the data. `hash` is SQ_HASH_START or the hash of the preceding data. */
#define SQ_HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t sq_hash(uint64_t hash, const void *data, size_t bytes);

#endif
