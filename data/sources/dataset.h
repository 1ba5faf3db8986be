#ifndef SQ_DATASET_H
#define SQ_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* A data set is a list of encoded images with labels, from folders, tars or packed shards. The list never changes, and
 * reading is thread-safe.
 *
 * A source holds one split ("train" or "val") or both. Accepted sources:
 *   - a folder with <split>/<class>/<image>
 *   - a folder with <class>/<image>, if it has no train/ or val/. Such a folder is used as the requested split.
 *   - a tar with members [./]<split>/<class>/<image> or [./]<class>/<image>
 *   - ImageNet's ILSVRC2012_img_train.tar, which holds one <class>.tar with images per class
 *   - a WebDataset tar without train/ or val/: <key>.jpg (.jpeg, .png, ...) with <key>.cls (a number) or <key>.json
 *     ("label" or "cls"). Classes are named 00000, 00001, ..., or by sq_dataset_options.classes.
 *   - a folder whose *.tar files are tars of these kinds, or with such tars in <split>/. The tars are read in the order
 *     of their names.
 *   - a folder with <split>-00000.shard, ..., written by `squall pack` (data/sources/shard.h)
 *
 * A class folder may hold its images in a folder images/, as in Tiny-ImageNet's archive, where
 * val/val_annotations.txt gives the classes of the images in val/images/.
 *
 * Classes are numbered in the order of their folder names, compared bytewise, as in torchvision's ImageFolder. The
 * images of a class are sorted in the same way by their names inside the class, so that every source of the same images
 * gives the same order. Hidden files and text files (.txt, .csv, .json, .xml, .md, .mat) are ignored. */

typedef struct sq_dataset sq_dataset;

/* Lists a split of a source.
 * returns   SQ_DATA: no such source, no images, an empty class folder, a damaged tar or shard; SQ_IO: not readable */
SQ_MUST_USE sq_status sq_dataset_open(sq_dataset **out, const char *source, const char *split);
void sq_dataset_close(sq_dataset *dataset); /* accepts NULL */

typedef struct {
    /* File with the class of each image, or NULL: folders are the classes. The file has one of two forms:
     *   - Each line is "<image> <class>", separated by blanks, tabs or a comma. The image may lack its extension, and
     *     the rest of the line is ignored (Tiny-ImageNet's val_annotations.txt, Kaggle's LOC_val_solution.csv, Caffe's
     *     val.txt).
     *   - Each line is one class, and the lines are in the order of the images' names
     *     (imagenet_2012_validation_synset_labels.txt, ILSVRC2012_validation_ground_truth.txt).
     * A class is a name, or the number of a line of `classes`. Numbers count from 0 in the first form (Caffe) and from
     * 1 in the second form (ILSVRC). */
    const char *labels;
    /* File with a class name at the beginning of each line, or NULL. A WebDataset label is the number of a line of this
     * file, counted from 0. */
    const char *classes;
    bool is_optional; /* a source without the split is an empty data set, not an error */
} sq_dataset_options;

/* Does the same as sq_dataset_open, with options.
 * returns   the errors of sq_dataset_open; SQ_DATA: an image without a label, a class number out of range */
SQ_MUST_USE sq_status sq_dataset_open_with(sq_dataset **out, const char *source, const char *split,
                                           const sq_dataset_options *options);

/* Holds out a fraction of each class, chosen by seed, and makes a data set of the held-out images or of the other
 * images. Borrows parent.
 * fraction      in [0, 1); the fraction that is held out
 * is_held_out   true: the held-out images; false: the other images, for training
 * returns       SQ_DATA: the subset is empty; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *parent, double fraction, uint64_t seed,
                                          bool is_held_out);

/* Makes a subset with the images of the first class_limit classes. Labels stay the same. Borrows parent.
 * returns   SQ_DATA: class_limit is out of range; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *parent, int class_limit);

/* Compares the classes of a training and a validation set.
 * returns   SQ_DATA, with the name of the first class that only one of the two sets has */
SQ_MUST_USE sq_status sq_dataset_same_classes(const sq_dataset *train, const sq_dataset *val);

/* Returns true if the source does not name its split. A caller may use such a source as train or as val. */
bool sq_dataset_has_unnamed_split(const sq_dataset *dataset);

size_t sq_dataset_count(const sq_dataset *dataset);
int sq_dataset_class_count(const sq_dataset *dataset);
const char *sq_dataset_class(const sq_dataset *dataset, int label);
int sq_dataset_label(const sq_dataset *dataset, size_t index);
/* Returns the path or "tar:member", for messages. */
const char *sq_dataset_name(const sq_dataset *dataset, size_t index);
/* Returns the name inside the class folder, such as "1.png". */
const char *sq_dataset_inner_name(const sq_dataset *dataset, size_t index);
size_t sq_dataset_size(const sq_dataset *dataset, size_t index); /* bytes */

/* Reads the bytes of an image into *buffer and sets *size. If *capacity is too small, enlarges *buffer with realloc and
 * updates *capacity. Thread-safe.
 * returns   SQ_DATA: the file is missing, its length has changed since it was listed, or a shard's checksum differs;
 *           SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_dataset_read(const sq_dataset *dataset, size_t index, void **buffer, size_t *capacity,
                                      size_t *size);

/* Returns true and sets *h and *w if the image is stored as raw pixels (h * w * 3 uint8, RGB, rows from the top).
 * Returns false for an encoded image. */
bool sq_dataset_is_raw(const sq_dataset *dataset, size_t index, int *h, int *w);

/* Returns the mapped bytes of an image, without a copy. The bytes are valid until sq_dataset_close. The first call for
 * an image verifies the checksum. Returns NULL if the source is not mapped (folders, tars) or the checksum differs;
 * sq_dataset_read then returns the bytes or the reason. Thread-safe. */
const void *sq_dataset_view(const sq_dataset *dataset, size_t index, size_t *size);

#endif
