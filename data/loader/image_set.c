/* Loads an image set by reading all batches of an unshuffled loader. */
#include "data/loader/image_set.h"

#include <stdlib.h>
#include <string.h>

static sq_status copy_batches(sq_image_set *set, sq_loader *loader)
{
    const size_t bytes = (size_t)set->resolution * (size_t)set->resolution * 3;
    for (size_t done = 0; done < set->count;) {
        sq_batch batch;
        SQ_TRY(sq_loader_next(loader, &batch));
        memcpy(set->images + done * bytes, batch.images, (size_t)batch.count * bytes);
        memcpy(set->labels + done, batch.labels, (size_t)batch.count * sizeof *batch.labels);
        done += (size_t)batch.count;
    }
    set->bad = sq_loader_get_counters(loader).bad;
    return SQ_OK;
}

sq_status sq_image_set_load(sq_image_set *out, const sq_dataset *dataset, const sq_loader_options *options,
                            const size_t *indices, size_t index_count)
{
    sq_image_set set = {.count = indices ? index_count : sq_dataset_count(dataset),
                        .resolution = options->transform.resolution};
    const size_t bytes = (size_t)set.resolution * (size_t)set.resolution * 3;
    sq_loader *loader = NULL;
    sq_loader_options ordered = *options;
    ordered.is_shuffled = false;
    ordered.first_batch = 0;
    ordered.indices = indices;
    ordered.index_count = index_count;
    set.images = malloc(set.count * bytes + 1);
    set.labels = malloc((set.count + 1) * sizeof *set.labels);
    sq_status status =
        set.images && set.labels ? SQ_OK : sq_fail(SQ_NO_MEMORY, "image set: out of memory for %zu images", set.count);
    if (status == SQ_OK)
        status = sq_loader_open(&loader, dataset, &ordered);
    if (status == SQ_OK)
        status = copy_batches(&set, loader);
    sq_loader_close(loader);
    if (status == SQ_OK)
        *out = set;
    else
        sq_image_set_clear(&set);
    return status;
}

void sq_image_set_clear(sq_image_set *set)
{
    free(set->images);
    free(set->labels);
    memset(set, 0, sizeof *set);
}
