#ifndef SQ_LABELS_H
#define SQ_LABELS_H

#include "data/sources/listing.h"

/* Reads text files about classes: lists of class names, and labels of images that are not in class folders. */

typedef struct {
    char *text;   /* owned; names point into it */
    char **names; /* owned array */
    int count;
} sq_name_list;

/* Reads the first word of each line. Empty lines are skipped.
 * returns   SQ_IO; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_name_list_read(sq_name_list *out, const char *path);
void sq_name_list_free(sq_name_list *names);

/* Sets the class of every image of the data set from a file of labels (see sq_dataset_options).
 * returns   SQ_DATA "<path>:<line>: ...": an image with no label or with two, an unknown class, a mixed format */
SQ_MUST_USE sq_status sq_labels_apply(sq_dataset *dataset, const char *path, const sq_listing_options *options);

#endif
