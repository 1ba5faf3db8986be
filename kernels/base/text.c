/* Helpers for texts that users write or read. */
#include "kernels/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WORD = 96 };

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Returns the Levenshtein distance of two words, or LONGEST_WORD if a word is longer than LONGEST_WORD. */
static int distance(const char *a, const char *b)
{
    const int la = (int)strlen(a), lb = (int)strlen(b);
    int row[LONGEST_WORD + 1];
    if (la > LONGEST_WORD || lb > LONGEST_WORD)
        return LONGEST_WORD;
    for (int j = 0; j <= lb; j++)
        row[j] = j;
    for (int i = 1; i <= la; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= lb; j++) {
            const int change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(change, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[lb];
}

const char *sq_text_nearest(const char *text, const char *const *words, int count)
{
    const char *nearest = NULL;
    int least = 1 + (int)strlen(text) / 2; /* a typo needs at most 1 change more than half of the letters */
    for (int i = 0; i < count; i++) {
        const int d = distance(text, words[i]);
        if (d < least || (d == least && !nearest)) {
            least = d;
            nearest = words[i];
        }
    }
    return nearest;
}

const char *sq_text_suggestion(char *out, size_t bytes, const char *text, const char *const *words, int count)
{
    const char *nearest = sq_text_nearest(text, words, count);
    const int needed = nearest ? snprintf(out, bytes, ", did you mean '%s'?", nearest) : 0;
    if (!nearest || needed < 0 || (size_t)needed >= bytes)
        *out = 0;
    return out;
}

bool sq_text_int(const char *text, int64_t minimum, int64_t maximum, int64_t *out)
{
    char *end = NULL;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < minimum || value > maximum)
        return false;
    *out = value;
    return true;
}

bool sq_text_double(const char *text, double minimum, double maximum, double *out)
{
    char *end = NULL;
    errno = 0;
    const double value = strtod(text, &end);
    if (errno || end == text || *end || !(value >= minimum && value <= maximum))
        return false;
    *out = value;
    return true;
}

sq_status sq_text_path(char *out, size_t bytes, const char *folder, const char *name)
{
    enum { SHOWN = 300 }; /* bytes of each part that the error text quotes */
    const size_t length = strlen(folder);
    const char *slash = length > 0 && folder[length - 1] == '/' ? "" : "/";
    const int needed = snprintf(out, bytes, "%s%s%s", folder, slash, name);
    if (needed < 0 || (size_t)needed >= bytes)
        return sq_fail(SQ_INVALID, "%.*s%s%.*s: the path is too long: found %zu bytes, expected at most %zu", SHOWN,
                       folder, slash, SHOWN, name, length + strlen(slash) + strlen(name), bytes - 1);
    return SQ_OK;
}

char *sq_text_next_row(char **next, int *line)
{
    while (*next && **next) {
        char *row = *next, *end = strchr(row, '\n');
        *next = end ? end + 1 : NULL;
        if (end)
            *end = 0;
        row[strcspn(row, "\r")] = 0;
        ++*line;
        if (*row && *row != '#')
            return row;
    }
    return NULL;
}

int sq_text_csv(char *row, char **fields, int limit)
{
    int count = 0;
    for (char *p = row; p;) {
        char *to = p, *start = p;
        bool is_quoted = *p == '"';
        p += is_quoted;
        for (; *p && (is_quoted || *p != ','); p++) {
            if (is_quoted && *p == '"' && p[1] != '"') {
                is_quoted = false;
                continue;
            }
            p += is_quoted && *p == '"';
            *to++ = *p;
        }
        if (is_quoted)
            return -1;
        char *next = *p ? p + 1 : NULL;
        *to = 0;
        if (count < limit)
            fields[count] = start;
        count++;
        p = next;
    }
    return count;
}

char *sq_text_si(char *out, size_t bytes, double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P"};
    int power = 0;
    while (fabs(value) >= 999.5 && power < 5) {
        value /= 1000;
        power++;
    }
    const int digits = fabs(value) >= 99.95 || (power == 0 && value == floor(value)) ? 0 : fabs(value) >= 9.995 ? 1 : 2;
    (void)snprintf(out, bytes, "%.*f %s%s", digits, value, prefixes[power], unit);
    return out;
}

char *sq_text_duration(char *out, size_t bytes, double seconds)
{
    const long long whole = seconds > 0 ? (long long)(seconds + 0.5) : 0;
    if (whole >= 3600)
        (void)snprintf(out, bytes, "%lld h %02lld min", whole / 3600, whole / 60 % 60);
    else if (whole >= 60)
        (void)snprintf(out, bytes, "%lld min %02lld s", whole / 60, whole % 60);
    else
        (void)snprintf(out, bytes, "%lld s", whole);
    return out;
}

uint64_t sq_hash(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}
