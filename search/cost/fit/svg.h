#ifndef SQ_SVG_H
#define SQ_SVG_H

#include <stddef.h>
#include <stdio.h>

/* Writes text and numbers to SVG and HTML files. Text is escaped, and numbers do not depend on the locale. Errors of
 * the stream are not checked here but once, by sq_file_finish. */

/* Returns the length in bytes of the UTF-8 character at `s`. Returns 0 for bytes that sq_svg_text replaces by a
 * question mark: a stray byte, an overlong encoding, a control character other than tab, a surrogate, U+FFFE, U+FFFF.
 * source: XML 1.0, production 2; RFC 3629 */
int sq_utf8_length(const unsigned char *s);

/* Writes at most `limit` characters, escaped for text and quoted attributes of XML and HTML. Invalid bytes become "?".
 * An ellipsis replaces characters beyond the limit. */
void sq_svg_text(FILE *file, const char *text, int limit);

/* Number of characters that sq_svg_text writes without a limit. */
int sq_svg_characters(const char *text);

/* Formats a number for display. The number has `decimals` decimals; if decimals is above 5 or the number is at least
 * 1e7, it has `digits` significant digits instead and may have an exponent. "-0" becomes "0". Returns out. */
enum { SQ_SVG_NUMBER_BYTES = 256 };
char *sq_svg_number(char out[SQ_SVG_NUMBER_BYTES], double value, int decimals, int digits);

/* Writes `before`, then the coordinate with one decimal, then `after`. */
void sq_svg_put(FILE *file, const char *before, double value, const char *after);

#endif
