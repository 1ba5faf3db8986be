#include "supernet/space/choice.h"

#include <string.h>

#include "kernels/base/text.h"
#include "tests/support/support.h"

static sq_raw_choice raw_mb(void)
{
    static char name[] = "an mb";
    return (sq_raw_choice){.name = name, .value = {.kind = SQ_BLOCK_MB, .kernel = 5, .expansion = 3}};
}

Test(choice, missing_parameters_get_their_defaults)
{
    const sq_raw_choice raw = raw_mb();
    sq_choice c;
    MUST(sq_choice_read(&raw, "file", &c));
    cr_expect(c.kernel == 5 && c.expansion == 3 && !c.has_se && c.se_ratio == 0.25);
    cr_expect(c.gate_activation == SQ_SIGMOID && c.activation == SQ_ACTIVATIONS && c.start_kernel == 0);
}

Test(choice, rejects_values_out_of_range_by_name)
{
    static const struct {
        int kernel;
        double expansion, se_ratio;
        const char *text;
    } rows[] = {{9, 3, 0.25, "file: choice 'an mb': kernel 9, expected 1, 3, 5 or 7"},
                {3, 65, 0.25, "expansion 65, expected more than 0 and at most 64"},
                {3, 3, 1.5, "se_ratio 1.5, expected more than 0 and at most 1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sq_raw_choice raw = raw_mb();
        sq_choice c = {.kernel = -1};
        raw.value.kernel = rows[i].kernel;
        raw.value.expansion = rows[i].expansion;
        raw.value.se_ratio = rows[i].se_ratio;
        cr_expect_eq(sq_choice_read(&raw, "file", &c), SQ_INVALID);
        cr_expect_not_null(strstr(sq_error_text(), rows[i].text), "%s", sq_error_text());
        cr_expect_eq(c.kernel, -1, "changed on failure");
    }
}

Test(choice, every_parameter_is_part_of_the_hash)
{
    sq_raw_choice raw = raw_mb();
    sq_choice base, changed[7];
    MUST(sq_choice_read(&raw, "file", &base));
    for (int i = 0; i < 7; i++)
        changed[i] = base;
    changed[0].kernel = 3;
    changed[1].expansion = 6;
    changed[2].has_se = true;
    changed[3].se_ratio = 0.5;
    changed[4].gate_activation = SQ_HSIGMOID;
    changed[5].activation = SQ_HSWISH;
    changed[6].start_kernel = 3;
    for (int i = 0; i < 7; i++)
        cr_expect_neq(sq_choice_hash(SQ_HASH_START, &changed[i]), sq_choice_hash(SQ_HASH_START, &base), "%d", i);
}
