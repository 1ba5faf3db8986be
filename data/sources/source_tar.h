#ifndef SQ_SOURCE_TAR_H
#define SQ_SOURCE_TAR_H

#include "data/sources/listing.h"

/* Adds the members of a tar that belong to the split. The first members determine the layout of the tar:
 * <split>/<class>/<image>, <class>/<image>, <class>.tar with images (ImageNet), or WebDataset's pairs of files.
 * returns   SQ_DATA: a damaged tar (with the byte offset), an empty class, a missing label; SQ_IO */
SQ_MUST_USE sq_status sq_source_list_tar(sq_dataset *dataset, const char *path, const sq_listing_options *options);

#endif
