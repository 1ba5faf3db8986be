#ifndef SQ_TEST_FUZZ_IMAGE_H
#define SQ_TEST_FUZZ_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* One input of the image reader's fuzzer: two bytes that choose a part and a reduction, then an image file. Aborts
 * where the reader breaks a promise: a part lies outside what came, the size is not the header's, or a status is none
 * of SQ_OK, SQ_DATA and SQ_NO_MEMORY. */
void fuzz_image(const uint8_t *data, size_t size);

#endif
