/* Tests text and numbers in SVG. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/cost/fit/svg.h"
#include "tests/support/support.h"

static const char *written(const char *text, int limit)
{
    static char out[256];
    memset(out, 0, sizeof out);
    FILE *file = fmemopen(out, sizeof out - 1, "w");
    sq_svg_text(file, text, limit);
    cr_assert_eq(fclose(file), 0);
    return out;
}

Test(svg, escapes_text_and_replaces_invalid_bytes)
{
    cr_expect_str_eq(written("a<b>&\"c", 20), "a&lt;b&gt;&amp;&quot;c");
    cr_expect_str_eq(written("x\xff\x01y", 20), "x??y");
    cr_expect_str_eq(written("\xce\xb1\xce\xb2\xce\xb3", 2), "\xce\xb1\xce\xb2\xe2\x80\xa6");
    cr_expect_eq(sq_svg_characters("\xce\xb1z"), 2);
}

Test(svg, refuses_overlong_and_forbidden_characters)
{
    cr_expect_eq(sq_utf8_length((const unsigned char *)"\xe2\x82\xac"), 3);
    const char *const invalid[] = {"\x80", "\xc0\xaf", "\xed\xa0\x80", "\xef\xbf\xbf", "\xf5\x80\x80\x80", "\x1b"};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++)
        cr_expect_eq(sq_utf8_length((const unsigned char *)invalid[i]), 0, "%zu", i);
}

Test(svg, prints_numbers_for_people)
{
    char out[SQ_SVG_NUMBER_BYTES];
    cr_expect_str_eq(sq_svg_number(out, 1.25, 1, 3), "1.2");
    cr_expect_str_eq(sq_svg_number(out, -0.2, 0, 3), "0");
    cr_expect_str_eq(sq_svg_number(out, 1.5e8, 1, 3), "1.5e+08");
}
