/* Prints a report. */
#include "search/cost/dialects/dialect_report.h"

/* Prints a number with separators: "12,116". */
static const char *grouped(int64_t value, char text[32])
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)value);
    int used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = 0;
    return text;
}

void sq_dialect_print(const sq_dialect_report *r, FILE *file)
{
    char a[32], b[32];
    (void)fprintf(file, "%s rows: %s read", grouped(r->rows, a), grouped(r->read, b));
    if (r->left_out)
        (void)fprintf(file, ", %s left out, blocks that no Squall space has", grouped(r->left_out, a));
    for (int i = 0; i < r->kind_count; i++)
        (void)fprintf(file, "%s%s %s", i ? ", " : ": ", grouped(r->kinds[i].count, a), r->kinds[i].text);
    (void)fputc('\n', file);
    if (r->near)
        (void)fprintf(file, "%s of those read are only nearly Squall's blocks\n", grouped(r->near, a));
    if (r->duplicates)
        (void)fprintf(file, "%s rows repeat a block", grouped(r->duplicates, a));
    if (r->conflicts)
        (void)fprintf(file, "; the figures of %s blocks differ, by up to %.2f times ('%s'): their mean is taken",
                      grouped(r->conflicts, a), r->worst_conflict, r->conflict);
    if (r->duplicates)
        (void)fputc('\n', file);
}
