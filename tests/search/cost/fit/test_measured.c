/* Tests reading measured networks from CSV. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/fit/measured.h"
#include "tests/support/support.h"

static sq_status read_measured(sq_measured **out, const char *text, const char *column)
{
    char *folder = make_folder(), path[600];
    const sq_piece piece = {text, strlen(text)};
    (void)snprintf(path, sizeof path, "%s/m.csv", folder);
    MUST(sq_file_replace(path, &piece, 1));
    const sq_status status = sq_measured_read(out, path, column);
    drop_folder(folder);
    return status;
}

Test(measured, reads_tuples_digits_and_units)
{
    static const struct {
        const char *text, *column;
        double ms, deviation;
    } files[] = {
        {"arch,ms\n\"(2, 1, 0)\",3.5\n", NULL, 3.5, 0},
        {"arch,ms,std_ms\n2;1;0,3.5,0.25\n", NULL, 3.5, 0.25},
        {"arch,us,std_us\r\n210,3500,250\r\n", NULL, 3.5, 0.25},
        {"note,pixel_s,arch\n\"a, \"\"b\"\"\",0.0035,\"2,1,0\"\n", "pixel_s", 3.5, 0},
        {"note,pixel_s,arch,pixel_std_s\nx,0.0035,210,0.00025\n", "pixel", 3.5, 0.25},
        {"\xef\xbb\xbf# from somewhere\narch,samsung_s7,samsung_s7_std\n\n210,3.5,0.25\n", "samsung_s7", 3.5, 0.25},
        {"arch,ms\n( 2,1 , 0 ),3.5", NULL, 0, 0}, /* unquoted commas, which are refused below */
    };
    for (size_t i = 0; i + 1 < sizeof files / sizeof *files; i++) {
        sq_measured *m = NULL;
        int limits[3];
        MUST(read_measured(&m, files[i].text, files[i].column));
        cr_expect(m->count == 1 && m->layers == 3, "file %zu", i);
        cr_expect(m->paths[0] == 2 && m->paths[1] == 1 && m->paths[2] == 0, "file %zu", i);
        cr_expect_float_eq(m->ms[0], files[i].ms, 1e-12, "file %zu: %g", i, m->ms[0]);
        cr_expect_float_eq(m->deviation[0], files[i].deviation, 1e-12, "file %zu: %g", i, m->deviation[0]);
        sq_measured_limits(m, limits);
        cr_expect(limits[0] == 3 && limits[1] == 2 && limits[2] == 1);
        sq_measured_free(m);
    }
}

Test(measured, keeps_every_measurement_of_an_architecture)
{
    sq_measured *m = NULL;
    MUST(read_measured(&m, "arch,ms\n012,1\n012,2\n000,3\n", NULL));
    cr_expect(m->count == 3 && m->ms[1] == 2 && m->lines[1] == 3);
    sq_measured_free(m);
}

Test(measured, refuses_bad_rows_by_line)
{
    static const struct {
        const char *text, *column, *wanted;
    } files[] = {
        {"", NULL, "and no header"},
        {"arch,ms\n", NULL, "no measurements"},
        {"name,ms\n012,1\n", NULL, ":1: no column 'arch'"},
        {"arch,pixel2\n012,1\n", NULL, ":1: no column 'ms'"},
        {"arch,pixel2\n012,1\n", "pixel3", "did you mean 'pixel2'"},
        {"arch,ms\n012,1\n,1\n", NULL, ":3: arch is empty"},
        {"arch,ms\n012,1\n()\n", NULL, ":3: 1 columns, expected 2"},
        {"arch,ms\n(0, 1),1\n", NULL, ":2: 3 columns, expected 2"},
        {"arch,ms\n\"(0, 1,1\n", NULL, ":2: an open quote"},
        {"arch,ms\n01x,1\n", NULL, ":2: arch is not a list"},
        {"arch,ms\n0;;1,1\n", NULL, ":2: arch is not a list"},
        {"arch,ms\n-1;0,1\n", NULL, ":2: arch is not a list"},
        {"arch,ms\n012,1\n01,1\n", NULL, ":3: arch of 2 layers, expected 3 as in line 2"},
        {"arch,ms\n012,0\n", NULL, ":2: time '0'"},
        {"arch,ms\n012,-1\n", NULL, ":2: time '-1'"},
        {"arch,ms\n012,nan\n", NULL, ":2: time 'nan'"},
        {"arch,ms\n012,inf\n", NULL, ":2: time 'inf'"},
        {"arch,ms\n012,\n", NULL, ":2: time ''"},
        {"arch,ms,std_ms\n012,1,-1\n", NULL, ":2: deviation '-1'"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sq_measured *m = NULL;
        cr_expect_eq(read_measured(&m, files[i].text, files[i].column), SQ_INVALID, "file %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), files[i].wanted), "file %zu: %s", i, sq_error_text());
        cr_expect_null(m);
    }
}
