/* Writes scatter plots at the limits of valid input, for check_scatter.py. usage: dump_scatter FOLDER */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/rng.h"
#include "search/cost/fit/scatter.h"

static int failures;

static void write(const char *folder, const char *name, const char *title, const sq_scatter_point *points, size_t n)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s.svg", folder, name);
    const sq_scatter_options options = {.title = title, .width_mm = 100};
    if (sq_scatter_write(path, &options, points, n) == SQ_OK)
        return;
    (void)fprintf(stderr, "%s\n", sq_error_text());
    failures++;
}

/* Writes a plot of n random points near the diagonal, with normally distributed relative errors of 5 %. */
static void write_drawn(const char *folder, const char *name, const char *title, int n, double deviation)
{
    sq_scatter_point *points = calloc((size_t)n, sizeof *points);
    char(*labels)[32] = calloc((size_t)n, sizeof *labels);
    sq_rng rng = sq_rng_open(1, SQ_RNG_TEST, (uint64_t)n);
    if (!points || !labels)
        abort();
    for (int i = 0; i < n; i++) {
        const double ms = 8 + 30 * sq_rng_uniform(&rng);
        (void)snprintf(labels[i], sizeof labels[i], "network %d", i);
        points[i] =
            (sq_scatter_point){ms * (1 + 0.05 * sq_rng_normal(&rng)), ms, deviation * sq_rng_uniform(&rng), labels[i]};
    }
    write(folder, name, title, points, (size_t)n);
    free(points);
    free(labels);
}

int main(int count, char **words)
{
    if (count != 2)
        return 2;
    const char *folder = words[1];
    const sq_scatter_point one = {7.25, 7, 0, "only <one> & \"it\""};
    const sq_scatter_point equal[] = {{5, 5, 0, NULL}, {5, 5, 0, NULL}, {5, 5, 0, NULL}};
    const sq_scatter_point huge[] = {{1e-6, 1e-6, 0, NULL}, {3e9, 2.9e9, 1e8, "large"}, {-5, 1, 0, NULL}};
    const sq_scatter_point tiny[] = {{1.0001e-7, 1e-7, 0, NULL}, {1.0002e-7, 1.0004e-7, 0, NULL}};
    const sq_scatter_point close[] = {{1000.001, 1000, 0, NULL}, {1000, 1000.002, 0, NULL}};
    write(folder, "one", "", &one, 1);
    write(folder, "equal", NULL, equal, 3);
    write(folder, "huge", "Names with < & > \" ' \x07 \xff \xef\xbf\xbf \xed\xa0\x80 and \xce\xbcs", huge, 3);
    write(folder, "tiny",
          "A title that is far too long to stand above any picture of this size, and that therefore shrinks, and is "
          "cut where it is longer still",
          tiny, 2);
    write(folder, "close", "close", close, 2);
    write_drawn(folder, "few", "Pixel 1: calibrated table against measured networks", 18, 1.5);
    write_drawn(folder, "some", "300 networks", 300, 0);
    write_drawn(folder, "many", "100,000 networks", 100000, 0);
    return failures > 0;
}
