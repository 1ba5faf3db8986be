#ifndef SQ_DATASET_H
#define SQ_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* A list of encoded images with labels, from folders or tars. Reading is thread-safe; the list never changes.
 *
 * Accepted sources, for one split ("train" or "val"):
 *   a folder with <split>/<class>/<image>
 *   a tar (or several: every *.tar of a folder in name order) with members [./]<split>/<class>/<image>
 *   a folder <class>/<image> or tar of it, when it has no train/ or val/ at its top (then it is the asked split)
 * Classes are numbered by sorted folder name (bytewise), as PyTorch's ImageFolder. Hidden files are passed over. */

typedef struct sq_dataset sq_dataset;

/* SQ_DATA: nothing there, no class, an empty class folder (named), a damaged tar (offset named). SQ_IO: unreadable. */
SQ_MUST_USE sq_status sq_dataset_open(sq_dataset **out, const char *source, const char *split);
void sq_dataset_close(sq_dataset *dataset); /* accepts NULL */

/* The part of `whole` whose images are held out from training (is_held_out) or the rest: for each class, the same
 * fraction, chosen by seed. Borrows whole. fraction in [0, 1). */
SQ_MUST_USE sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *whole, double fraction, uint64_t seed,
                                          bool is_held_out);

/* Only images of the first class_limit classes; renumbered 0.. (they keep their order). Borrows whole. */
SQ_MUST_USE sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *whole, int class_limit);

/* SQ_DATA naming the first class that only one of the two has. */
SQ_MUST_USE sq_status sq_dataset_same_classes(const sq_dataset *a, const sq_dataset *b);

size_t sq_dataset_count(const sq_dataset *dataset);
int sq_dataset_class_count(const sq_dataset *dataset);
const char *sq_dataset_class(const sq_dataset *dataset, int label);
int sq_dataset_label(const sq_dataset *dataset, size_t index);
const char *sq_dataset_name(const sq_dataset *dataset, size_t index); /* path or tar:member, for messages */

/* Reads an image's bytes into *buffer (grown with realloc; *capacity is kept), *size bytes. Thread-safe. */
SQ_MUST_USE sq_status sq_dataset_read(const sq_dataset *dataset, size_t index, void **buffer, size_t *capacity,
                                      size_t *size);

/* True: the bytes that sq_dataset_read gives are h * w * 3 uint8, RGB, uncompressed, rows from the top; h and w are
 * set. False: an encoded image; h and w stay untouched. */
bool sq_dataset_is_raw(const sq_dataset *dataset, size_t index, int *h, int *w);

/* The bytes of an image where they are mapped, without a copy and unchecked beyond their place: valid while the dataset
 * is open. NULL where the source has none (folders, tars): then sq_dataset_read is used. Thread-safe. */
const void *sq_dataset_view(const sq_dataset *dataset, size_t index, size_t *size);

#endif
