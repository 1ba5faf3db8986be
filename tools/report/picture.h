#ifndef SQ_PICTURE_H
#define SQ_PICTURE_H

#include "search/cost/latency.h"

/* A picture of one network is an SVG file without scripts or fonts. Text stays text, and units are points (1/72
 * inch). */

typedef struct {
    const sq_space *space;
    const int *path;                 /* [layer_count] */
    const sq_latency_cache *latency; /* shares of latency; NULL: none */
    const char *title;               /* NULL or "": none */
    int columns; /* of a page; 1: 240 pt wide, one row per layer; 2: 504 pt wide, layers from left to right */
} sq_picture;

/* Writes the whole picture to `path`, or nothing. The length of a block grows with the square root of its channels, its
 * colour shows the kind of operator, and a darker shade shows a larger kernel. Each layer shows its channels, its
 * resolution, and its share of multiply-adds and (with a device) of latency. Bars are scaled to the largest share.
 *
 * returns  SQ_IO; SQ_NO_MEMORY */
SQ_MUST_USE sq_status sq_picture_write(const char *path, const sq_picture *picture);

/* Writes the label of a choice, such as "MB6 5x5 SE" with a multiplication sign for x, truncated to `bytes`. */
void sq_picture_label(const sq_choice *choice, char *text, size_t bytes);

#endif
