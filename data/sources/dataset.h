#ifndef SQ_DATASET_H
#define SQ_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/base/status.h"

/* A list of encoded images with labels, from folders, tars or packed shards. The list never changes, and reading is
 * thread-safe.
 *
 * A source holds one split ("train" or "val") or both. Accepted sources:
 *   - a folder with <split>/<class>/<image>
 *   - a folder with <class>/<image>, if it has no train/ or val/. It is used as the requested split.
 *   - a tar with members [./]<split>/<class>/<image> or [./]<class>/<image>
 *   - ImageNet's ILSVRC2012_img_train.tar, which holds <class>.tar, each with images
 *   - a WebDataset tar without train/ or val/: <key>.jpg (.jpeg, .png, ...) with <key>.cls (a number) or <key>.json
 *     ("label" or "cls"). Classes are called 00000, 00001, ..., or by a list of class names.
 *   - a folder of such tars, or <split>/ with such tars: every *.tar, in the order of their names
 *   - a folder with <split>-00000.shard, ..., written by `squall pack` (data/sources/shard.h)
 *
 * A class folder may hold its images in a folder images/, as in Tiny-ImageNet's archive. There, val/images/ takes its
 * classes from val/val_annotations.txt.
 *
 * Classes are numbered by folder name, compared bytewise, as in torchvision's ImageFolder. Images of a class are sorted
 * in the same way by their names inside the class, so that every source of the same images gives the same order. Hidden
 * files and text files (.txt, .csv, .json, .xml, .md, .mat) are ignored. */

typedef struct sq_dataset sq_dataset;

/* Lists a split of a source.
 * returns   SQ_DATA: no such source, no images, an empty class folder, a damaged tar or shard; SQ_IO: not readable */
SQ_MUST_USE sq_status sq_dataset_open(sq_dataset **out, const char *source, const char *split);
void sq_dataset_close(sq_dataset *dataset); /* accepts NULL */

typedef struct {
    /* File with the class of each image, or NULL: folders are the classes. The file has one of two forms. Either each
     * line is "<image> <class>", separated by blanks, tabs or a comma; the image may lack its extension, and the rest
     * of the line is ignored (Tiny-ImageNet's val_annotations.txt, Kaggle's LOC_val_solution.csv, Caffe's val.txt). Or
     * one class per line, for the images in the order of their names (imagenet_2012_validation_synset_labels.txt,
     * ILSVRC2012_validation_ground_truth.txt). A class is a name or a number of a line of `classes`. Numbers count from
     * 0 after an image's name (Caffe), and from 1 if they are alone on a line (ILSVRC). */
    const char *labels;
    /* File with a class name at the beginning of each line, or NULL. A WebDataset label is a line of this file, counted
     * from 0. */
    const char *classes;
    bool is_optional; /* a source without the split is an empty data set, not an error */
} sq_dataset_options;

/* sq_dataset_open with options.
 * returns   the errors of sq_dataset_open; SQ_DATA: an image without a label, a class number out of range */
SQ_MUST_USE sq_status sq_dataset_open_with(sq_dataset **out, const char *source, const char *split,
                                           const sq_dataset_options *options);

/* A stratified split of a data set: the same fraction of each class, chosen by seed. Borrows parent.
 * fraction      in [0, 1)
 * is_held_out   true: the held-out images; false: the rest, for training
 * returns       SQ_DATA: the subset is empty; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_dataset_hold_out(sq_dataset **out, const sq_dataset *parent, double fraction, uint64_t seed,
                                          bool is_held_out);

/* The images of the first class_limit classes; labels stay the same. Borrows parent.
 * returns   SQ_DATA: class_limit is out of range; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_dataset_limit_classes(sq_dataset **out, const sq_dataset *parent, int class_limit);

/* Compares the classes of a training and a validation set.
 * returns   SQ_DATA, with the name of the first class that only one of the two sets has */
SQ_MUST_USE sq_status sq_dataset_same_classes(const sq_dataset *train, const sq_dataset *val);

/* True if the source does not name its split. Squall then uses it as the requested split. */
bool sq_dataset_has_unnamed_split(const sq_dataset *dataset);

size_t sq_dataset_count(const sq_dataset *dataset);
int sq_dataset_class_count(const sq_dataset *dataset);
const char *sq_dataset_class(const sq_dataset *dataset, int label);
int sq_dataset_label(const sq_dataset *dataset, size_t index);
/* Path or "tar:member", for messages. */
const char *sq_dataset_name(const sq_dataset *dataset, size_t index);
/* The name inside the class folder: "1.png". */
const char *sq_dataset_inner_name(const sq_dataset *dataset, size_t index);
size_t sq_dataset_size(const sq_dataset *dataset, size_t index); /* bytes */

/* Reads an image's bytes into *buffer, which grows with realloc to *capacity bytes, and sets *size. Thread-safe.
 * returns   SQ_DATA: the file is missing, its length has changed since it was listed, or a shard's checksum differs;
 *           SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_dataset_read(const sq_dataset *dataset, size_t index, void **buffer, size_t *capacity,
                                      size_t *size);

/* True if the image is stored as raw pixels: h * w * 3 uint8, RGB, rows from the top. Then sets *h and *w. False for an
 * encoded image. */
bool sq_dataset_is_raw(const sq_dataset *dataset, size_t index, int *h, int *w);

/* The mapped bytes of an image, without a copy; valid until sq_dataset_close. The first call verifies their checksum.
 * NULL: the source is not mapped (folders, tars) or the checksum differs; use sq_dataset_read, which reports the
 * reason. Thread-safe. */
const void *sq_dataset_view(const sq_dataset *dataset, size_t index, size_t *size);

#endif
