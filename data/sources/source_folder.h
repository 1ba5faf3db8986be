#ifndef SQ_SOURCE_FOLDER_H
#define SQ_SOURCE_FOLDER_H

#include "data/sources/listing.h"

/* Adds the images of a folder. The folder contains class folders, tars, or Tiny-ImageNet's val/ with its list of
 * classes.
 * returns   SQ_DATA: an empty class folder, no folder for the split, a damaged tar; SQ_IO */
SQ_MUST_USE sq_status sq_source_list_folder(sq_dataset *dataset, const char *path, const sq_listing_options *options);

#endif
