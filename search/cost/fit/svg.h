#ifndef SQ_SVG_H
#define SQ_SVG_H

#include <stddef.h>
#include <stdio.h>

/* What every picture and page needs to write text and numbers that no locale changes and no name can break out of. The
 * stream's errors are asked for once, at its end (sq_file_finish). */

/* Bytes of the UTF-8 character at `s` that XML may hold; 0 when there is none: a stray or overlong byte, a control
 * character other than tab, a surrogate, U+FFFE, U+FFFF. source: XML 1.0, production 2; RFC 3629 */
int sq_utf8_length(const unsigned char *s);

/* At most `limit` characters, escaped for XML and HTML, in text and in quoted attributes; what is no character becomes
 * "?", what is left out "...". */
void sq_svg_text(FILE *file, const char *text, int limit);

/* How many characters sq_svg_text would write without a limit. */
int sq_svg_characters(const char *text);

/* A number for people into out: `decimals` behind a point, or `digits` significant ones when it needs an exponent
 * (decimals above 5, or 1e7 and more). Never "-0". Returns out. */
enum { SQ_SVG_NUMBER_BYTES = 256 };
char *sq_svg_number(char out[SQ_SVG_NUMBER_BYTES], double value, int decimals, int digits);

/* before, a coordinate with one decimal, after. */
void sq_svg_put(FILE *file, const char *before, double value, const char *after);

#endif
