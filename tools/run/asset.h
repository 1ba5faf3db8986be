#ifndef SQ_ASSET_H
#define SQ_ASSET_H

#include <stddef.h>

/* A file that the build embeds in the program (configs/cmake/Embed.cmake). */
typedef struct {
    const char *name;
    const unsigned char *data; /* a zero byte follows the last byte, so a text is a C string */
    size_t bytes;              /* without the added zero byte; 0: the build did not find the file */
} sq_asset;

#endif
