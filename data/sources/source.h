#ifndef SQ_SOURCE_H
#define SQ_SOURCE_H

#include "data/sources/listing.h"

/* The table of source kinds: folders, tars and packed shards. Internal to data/sources. */

/* Lists a split of a source into an empty data set, sorted and with numbered classes.
 * returns   SQ_DATA: the source does not exist, has no images, has an empty class folder, or has an image without a
 *           label; SQ_IO: the source cannot be read */
SQ_MUST_USE sq_status sq_source_list(sq_dataset *dataset, const char *source, const char *split,
                                     const sq_dataset_options *options);

#endif
