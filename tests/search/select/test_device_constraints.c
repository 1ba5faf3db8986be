/* Tests the properties that a device excludes. */
#include <string.h>

#include "search/select/device_constraints.h"
#include "tests/support/support.h"

Test(device_constraints, find_the_first_excluded_property_of_an_operator)
{
    sq_device_constraints constraints = {{false}};
    char text[64];
    const sq_choice choice = {.kind = SQ_BLOCK_MB, .kernel = 7, .has_se = true};
    sq_device_constraints_print(&constraints, text, sizeof text);
    cr_expect_str_eq(text, "");
    cr_expect_eq(sq_device_constraints_find(&constraints, &choice), SQ_PROPERTIES);
    MUST(sq_device_constraints_add(&constraints, "mb", "x"));
    cr_expect_eq((int)sq_device_constraints_find(&constraints, &choice), SQ_PROPERTY_KIND + SQ_BLOCK_MB);
    MUST(sq_device_constraints_add(&constraints, "kernel_7", "x"));
    cr_expect_eq(sq_device_constraints_find(&constraints, &choice), SQ_PROPERTY_KERNEL_7);
    sq_device_constraints_print(&constraints, text, sizeof text);
    cr_expect_str_eq(text, "kernel_7, mb");
    cr_expect_str_eq(sq_operator_property_name(SQ_PROPERTY_SE), "se");
    cr_expect_eq(sq_device_constraints_add(&constraints, "sse", "x"), SQ_INVALID);
    cr_expect_not_null(strstr(sq_error_text(), "did you mean 'se'?"), "%s", sq_error_text());
}
