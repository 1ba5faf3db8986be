#include "supernet/space/block_kinds.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array)         (sizeof(array) / sizeof *(array))
#define ROW(constant, word)  [SQ_BLOCK_##constant] = &sq_block_##word,
#define WORD(constant, word) [SQ_BLOCK_##constant] = #word,

static const sq_block_kind_row *const rows[] = {SQ_BLOCK_KIND_LIST(ROW, ROW)};
static const char *const words[] = {SQ_BLOCK_KIND_LIST(WORD, WORD)};
_Static_assert(COUNT(rows) == SQ_BLOCK_KINDS && COUNT(words) == SQ_BLOCK_KINDS, "one row and one word per block kind");

const sq_block_kind_row *sq_block_kind_of(sq_block_kind kind)
{
    assert((unsigned)kind < SQ_BLOCK_KINDS);
    return rows[kind];
}

const char *sq_block_name(sq_block_kind kind)
{
    assert((unsigned)kind < SQ_BLOCK_KINDS);
    return words[kind];
}

sq_block_kind sq_block_find(const char *word)
{
    int kind = 0;
    while (kind < SQ_BLOCK_KINDS && strcmp(words[kind], word) != 0)
        kind++;
    return (sq_block_kind)kind;
}

const char *sq_block_list(char *text, size_t bytes, bool (*has)(const sq_block_kind_row *row))
{
    int listed[SQ_BLOCK_KINDS], count = 0;
    size_t used = 0;
    for (int kind = 0; kind < SQ_BLOCK_KINDS; kind++)
        if (!has || has(rows[kind]))
            listed[count++] = kind;
    *text = 0;
    for (int i = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s",
                                 i == 0           ? ""
                                 : i == count - 1 ? " or "
                                                  : ", ",
                                 words[listed[i]]);
    return text;
}

bool sq_block_shows_kernel(const sq_choice *choice)
{
    return rows[choice->kind]->label_style != SQ_LABEL_PLAIN;
}

bool sq_block_shows_expansion(const sq_choice *choice)
{
    const int style = (int)rows[choice->kind]->label_style;
    return style == SQ_LABEL_EXPANSION || (style == SQ_LABEL_EXPANSION_UNLESS_1 && choice->expansion != 1);
}

int sq_block_no_middle(const sq_description *d)
{
    (void)d;
    return 0;
}
