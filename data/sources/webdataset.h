#ifndef SQ_WEBDATASET_H
#define SQ_WEBDATASET_H

#include "data/sources/listing.h"
#include "data/sources/tar.h"

/* WebDataset's layout of a tar: an image and a file with its label are consecutive members with the same key. */

/* A tar that is being listed. */
typedef struct {
    sq_dataset *dataset;
    const sq_listing_options *options;
    sq_tar *tar;
    int tar_index; /* in dataset->tars */
} sq_tar_listing;

/* Returns true if two consecutive members have the same key and exactly one of them is a .cls or .json. */
bool sq_webdataset_is_pair(const char *previous, const char *name);

/* Adds the image of each key. Class names are numbers, or the names in options->classes.
 * returns   SQ_DATA: an image without a label, a label out of range, damaged JSON; SQ_IO; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_webdataset_list(const sq_tar_listing *listing);

#endif
