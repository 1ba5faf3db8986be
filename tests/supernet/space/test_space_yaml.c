#include "supernet/space/space_yaml.h"

#include "tests/support/support.h"

static const char text[] = "name: a\nresolution: 8\nclasses: 2\nwidths: pad\nnaming: proxyless\ninit: spos\n"
                           "choices:\n  - {name: stem, kind: conv}\nlayers:\n  - {width: 4, choices: [stem]}\n";

Test(space_yaml, words_read_and_print_alike)
{
    void *data = NULL;
    MUST(sq_yaml_parse(&data, text, "text", &sq_space_schema));
    const sq_raw_space *raw = data;
    cr_expect_str_eq(sq_widths_name(raw->widths), "pad");
    cr_expect_str_eq(sq_naming_name(raw->naming), "proxyless");
    cr_expect_str_eq(sq_init_name(raw->init), "spos");
    cr_expect(raw->choices_count == 1 && raw->choices[0].value.kernel == 0 && !raw->choices[0].activation);
    cr_expect(raw->layers_count == 1 && raw->layers[0].repeat == 0 && !raw->norm.affine);
    sq_yaml_free(data, &sq_space_schema);
}
