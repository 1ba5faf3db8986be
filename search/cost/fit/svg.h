#ifndef SQ_SVG_H
#define SQ_SVG_H

#include <stddef.h>
#include <stdio.h>

/* Text and numbers in SVG and HTML: independent of the locale, and escaped. Errors of the stream are checked once, by
 * sq_file_finish. */

/* Length in bytes of the UTF-8 character at `s`; 0 when XML does not allow it: a stray or overlong byte, a control
 * character other than tab, a surrogate, U+FFFE, U+FFFF. source: XML 1.0, production 2; RFC 3629 */
int sq_utf8_length(const unsigned char *s);

/* Writes at most `limit` characters, escaped for text and quoted attributes of XML and HTML. Invalid bytes become "?",
 * and an ellipsis replaces the rest. */
void sq_svg_text(FILE *file, const char *text, int limit);

/* Number of characters that sq_svg_text writes without a limit. */
int sq_svg_characters(const char *text);

/* Formats a number for people: with `decimals`, or with `digits` significant digits when it needs an exponent (decimals
 * above 5, or 1e7 and more). Never "-0". Returns out. */
enum { SQ_SVG_NUMBER_BYTES = 256 };
char *sq_svg_number(char out[SQ_SVG_NUMBER_BYTES], double value, int decimals, int digits);

/* Writes `before`, a coordinate with one decimal, `after`. */
void sq_svg_put(FILE *file, const char *before, double value, const char *after);

#endif
