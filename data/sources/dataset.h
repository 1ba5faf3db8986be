#ifndef SQ_DATASET_H
#define SQ_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* A list of encoded images with labels, from folders, tars or packed shards. Reading is thread-safe; the list never
 * changes.
 *
 * Accepted sources, for one split ("train" or "val"):
 *   a folder with <split>/<class>/<image>
 *   a tar (or several: every *.tar of a folder in name order) with members [./]<split>/<class>/<image>
 *   a folder <class>/<image> or tar of it, when it has no train/ or val/ at its top (then it is the asked split)
 *   a folder with <split>-00000.shard, ..., as `squall pack` writes them (data/sources/shard.h)
 *   ImageNet's ILSVRC2012_img_train.tar, which holds <class>.tar, each with images (the asked split)
 *   WebDataset shards: tars with <key>.jpg (.jpeg, .png, ...) and <key>.cls (a number) or <key>.json ("label" or
 * "cls"), without train/ or val/ inside (the asked split); classes are then called 00000, 00001, ... or what a list
 * says and in the place of <split>/ a folder of such tars. A class folder may hold its images in a folder images/, as
 * Tiny-ImageNet does when it is unpacked; its val/images/ takes its classes from val/val_annotations.txt beside it.
 *
 * Classes are numbered by sorted folder name (bytewise), as PyTorch's ImageFolder, and sorted inside a class likewise
 * by their names there, so that the order is the same whatever source holds the images. Hidden files are passed over,
 * and so are lists beside images (.txt, .csv, .json, .xml, .md, .mat). */

typedef struct sq_dataset sq_dataset;

/* SQ_DATA: nothing there, no class, an empty class folder (named), a damaged tar (offset named). SQ_IO: unreadable. */
SQ_MUST_USE sq_status sq_dataset_open(sq_dataset **out, const char *source, const char *split);
void sq_dataset_close(sq_dataset *dataset); /* accepts NULL */

/* Whose class is in a list and not in a folder's name. */
typedef struct {
    /* File with the class of each image, or NULL. Either lines "<image> <class>" (blanks, tabs or a comma between; what
     * follows is passed over: Tiny-ImageNet's val_annotations.txt, Kaggle's LOC_val_solution.csv, Caffe's val.txt, with
     * or without the image's ending), or one class on each line for the images in the order of their names
     * (imagenet_2012_validation_synset_labels.txt, ILSVRC2012_validation_ground_truth.txt). A class is a name, or a
     * number into `classes`: from 0 after an image's name (Caffe), from 1 alone on a line (ILSVRC). */
    const char *labels;
    const char
        *classes; /* file with a class name at the beginning of each line, or NULL; WebDataset's numbers too, from 0 */
    bool is_optional; /* a source without the split is an empty data set, not an error */
} sq_dataset_options;

/* sq_dataset_open with lists. SQ_DATA also: an image without a class (named), a class that a list does not name. */
SQ_MUST_USE sq_status sq_dataset_open_with(sq_dataset **out, const char *source, const char *split,
                                           const sq_dataset_options *options);

/* The part of `whole` whose images are held out from training (is_held_out) or the rest: for each class, the same
 * fraction, chosen by seed. Borrows whole. fraction in [0, 1). */
SQ_MUST_USE sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *whole, double fraction, uint64_t seed,
                                          bool is_held_out);

/* Only images of the first class_limit classes; renumbered 0.. (they keep their order). Borrows whole. */
SQ_MUST_USE sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *whole, int class_limit);

/* SQ_DATA naming the first class that only one of the two has. */
SQ_MUST_USE sq_status sq_dataset_same_classes(const sq_dataset *a, const sq_dataset *b);

/* True: the source does not say which split it is, and was taken for the asked one. */
bool sq_dataset_has_unnamed_split(const sq_dataset *dataset);

size_t sq_dataset_count(const sq_dataset *dataset);
int sq_dataset_class_count(const sq_dataset *dataset);
const char *sq_dataset_class(const sq_dataset *dataset, int label);
int sq_dataset_label(const sq_dataset *dataset, size_t index);
const char *sq_dataset_name(const sq_dataset *dataset, size_t index);       /* path or tar:member, for messages */
const char *sq_dataset_inner_name(const sq_dataset *dataset, size_t index); /* inside its class: "1.png" */
size_t sq_dataset_size(const sq_dataset *dataset, size_t index);            /* bytes */

/* Reads an image's bytes into *buffer (grown with realloc; *capacity is kept), *size bytes. Thread-safe.
 * returns   SQ_DATA with the image's name: gone, longer or shorter than when it was listed, a shard's checksum */
SQ_MUST_USE sq_status sq_dataset_read(const sq_dataset *dataset, size_t index, void **buffer, size_t *capacity,
                                      size_t *size);

/* True: the bytes that sq_dataset_read gives are h * w * 3 uint8, RGB, uncompressed, rows from the top; h and w are
 * set. False: an encoded image; h and w stay untouched. */
bool sq_dataset_is_raw(const sq_dataset *dataset, size_t index, int *h, int *w);

/* The bytes of an image where they are mapped, without a copy, their checksum verified the first time; valid while the
 * dataset is open. NULL where the source has none (folders, tars) or the checksum differs: then sq_dataset_read is
 * used, which says so. Thread-safe. */
const void *sq_dataset_view(const sq_dataset *dataset, size_t index, size_t *size);

#endif
