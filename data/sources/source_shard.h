#ifndef SQ_SOURCE_SHARD_H
#define SQ_SOURCE_SHARD_H

#include "data/sources/listing.h"

/* Opens the shards of a split in a folder and copies their entries, classes and labels, in the same order. With
 * options->is_optional, a split without shards is an empty data set.
 * returns   SQ_DATA: a damaged, missing or foreign shard */
SQ_MUST_USE sq_status sq_source_list_shards(sq_dataset *dataset, const char *folder, const sq_listing_options *options);

#endif
