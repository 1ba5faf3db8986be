/* Tests the scatter plot. */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/fit/scatter.h"
#include "tests/support/support.h"

static char *draw_picture(const sq_scatter_options *options, const sq_scatter_point *points, size_t n)
{
    char *folder = make_folder(), path[600], *text = NULL;
    size_t bytes;
    (void)snprintf(path, sizeof path, "%s/p.svg", folder);
    MUST(sq_scatter_write(path, options, points, n));
    MUST(sq_file_read(path, 8 << 20, &text, &bytes));
    drop_folder(folder);
    return text;
}

static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
        count++;
    return count;
}

Test(scatter, draws_every_point_once_and_tells_the_errors)
{
    const sq_scatter_point points[] = {{10.5, 10, 0.5, "a"}, {19, 20, 0, NULL}, {50, 30, 0, "out <1> & \"2\"\x01\xff"}};
    char *text = draw_picture(&(sq_scatter_options){.title = "a < b & c"}, points, 3);
    cr_expect_eq(count_of(text, "<circle"), 2);
    cr_expect_eq(count_of(text, "stroke-opacity=\"0.6\""), 1); /* one error bar */
    cr_expect_not_null(strstr(text, "a &lt; b &amp; c"));
    cr_expect_not_null(strstr(text, "<title>out &lt;1&gt; &amp; &quot;2&quot;?"
                                    "?</title>"));
    cr_expect_not_null(strstr(text, "MAPE 25.6 %"));
    cr_expect_not_null(strstr(text, "within 10 %: 66.7 %"));
    cr_expect_not_null(strstr(text, "3 networks"));
    free(text);
}

Test(scatter, thins_many_points_by_the_documented_rule)
{
    enum { N = 100000 };
    sq_scatter_point *points = calloc(N, sizeof *points);
    sq_rng rng = sq_rng_open(4, SQ_RNG_TEST, 1);
    for (int i = 0; i < N; i++) {
        points[i].measured = 10 + 5 * sq_rng_uniform(&rng);
        points[i].predicted = points[i].measured * (i % 50 ? 1.02 : 1.3);
    }
    char *text = draw_picture(&(sq_scatter_options){.title = ""}, points, N);
    /* Every k-th point is drawn, k = ceil(98,000 / 4,000). */
    cr_expect_eq(count_of(text, "<circle"), 98000 / 25);
    /* 3,920 points and every second of the 2,000 outliers */
    cr_expect_not_null(strstr(text, "100000 networks, 4920 drawn"));
    cr_expect_lt(strlen(text), 400000);
    free(text);
    free(points);
}

Test(scatter, refuses_bad_points_and_leaves_nothing)
{
    const sq_scatter_point bad = {1, 0, 0, NULL}, good = {1, 1, 0, NULL};
    char *folder = make_folder(), path[600];
    (void)snprintf(path, sizeof path, "%s/p.svg", folder);
    cr_expect_eq(sq_scatter_write(path, &(sq_scatter_options){0}, &bad, 1), SQ_INVALID);
    cr_expect_eq(sq_scatter_write(path, &(sq_scatter_options){0}, &good, 0), SQ_INVALID);
    cr_expect_not(sq_path_exists(path));
    (void)snprintf(path, sizeof path, "%s/none/p.svg", folder);
    cr_expect_eq(sq_scatter_write(path, &(sq_scatter_options){0}, &good, 1), SQ_IO);
    drop_folder(folder);
}
