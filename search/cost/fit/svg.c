/* Writes text and numbers to SVG and HTML files. */
#include "search/cost/fit/svg.h"

#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int sq_utf8_length(const unsigned char *s)
{
    const int length = s[0] < 0x80             ? 1
                       : (s[0] & 0xe0) == 0xc0 ? 2
                       : (s[0] & 0xf0) == 0xe0 ? 3
                       : (s[0] & 0xf8) == 0xf0 ? 4
                                               : 0;
    if (length == 0 || (length == 1 && s[0] < 0x20 && s[0] != '\t') || s[0] == 0x7f)
        return 0;
    for (int i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    const bool is_overlong =
        (length == 2 && s[0] < 0xc2) || (length == 3 && s[0] == 0xe0 && s[1] < 0xa0) ||
        (length == 4 && (s[0] > 0xf4 || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)));
    const bool is_forbidden =
        length == 3 && ((s[0] == 0xed && s[1] >= 0xa0) || (s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe));
    return is_overlong || is_forbidden ? 0 : length;
}

void sq_svg_text(FILE *file, const char *text, int limit)
{
    const unsigned char *s = (const unsigned char *)text;
    for (; *s && limit > 0; limit--) {
        const int length = sq_utf8_length(s);
        if (*s == '&')
            (void)fputs("&amp;", file); /* sq_file_finish checks the stream */
        else if (*s == '<')
            (void)fputs("&lt;", file);
        else if (*s == '>')
            (void)fputs("&gt;", file);
        else if (*s == '"')
            (void)fputs("&quot;", file);
        else if (length == 0)
            (void)fputc('?', file);
        else
            (void)fwrite(s, 1, (size_t)length, file);
        s += length ? length : 1;
    }
    if (*s)
        (void)fputs("\xe2\x80\xa6", file);
}

int sq_svg_characters(const char *text)
{
    int count = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s; count++) {
        const int length = sq_utf8_length(s);
        s += length ? length : 1;
    }
    return count;
}

char *sq_svg_number(char out[SQ_SVG_NUMBER_BYTES], double value, int decimals, int digits)
{
    const bool is_plain = decimals <= 5 && fabs(value) < 1e7;
    (void)snprintf(out, SQ_SVG_NUMBER_BYTES, is_plain ? "%.*f" : "%.*g", is_plain ? decimals : digits, value);
    const char *point = localeconv()->decimal_point;
    char *found = *point ? strstr(out, point) : NULL;
    if (found) {
        *found = '.';
        memmove(found + 1, found + strlen(point), strlen(found + strlen(point)) + 1);
    }
    return strcmp(out, "-0") == 0 ? strcpy(out, "0") : out;
}

void sq_svg_put(FILE *file, const char *before, double value, const char *after)
{
    const long tenths = lround(fmin(fmax(value, -1e6), 1e6) * 10);
    (void)fprintf(file, "%s%s%ld.%ld%s", before, tenths < 0 ? "-" : "", labs(tenths) / 10, labs(tenths) % 10, after);
}
