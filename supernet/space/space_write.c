/* Writes space files without libcyaml, so that each layer is one line and numbers have as few digits as possible. */
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/file.h"
#include "supernet/space/space_yaml.h"

static void put_comment(FILE *file, const char *comment)
{
    for (const char *line = comment; line && *line;) {
        const char *end = line;
        while (*end && *end != '\n')
            end++;
        (void)fprintf(file, "# %.*s\n", (int)(end - line), line);
        line = *end ? end + 1 : end;
    }
}

static void put_header(FILE *file, const sq_space *s)
{
    sq_yaml_put_text(file, "", "name", s->name);
    sq_yaml_put_text(file, "", "source", s->source);
    (void)fprintf(file, "resolution: %d\nclasses: %d\nwidths: %s\nnaming: %s\ninit: %s\n", s->resolution, s->classes,
                  sq_widths_name(s->widths), sq_naming_name(s->naming), sq_init_name(s->init));
    (void)fprintf(file, "norm: {affine: %s, epsilon: ", s->is_affine ? "true" : "false");
    sq_yaml_put_float(file, s->epsilon);
    (void)fputs(", momentum: ", file);
    sq_yaml_put_float(file, s->momentum);
    (void)fprintf(file, "}\nactivation: %s\ndropout: ", sq_activation_name(s->layers[0].activation));
    sq_yaml_put_float(file, s->dropout);
    (void)fprintf(file, "\nclassifier_bias: %s\n", s->has_bias ? "true" : "false");
}

static bool is_used(const sq_space *s, int choice)
{
    for (int l = 0; l < s->layer_count - 1; l++)
        for (int i = 0; i < s->layers[l].choice_count; i++)
            if (s->layers[l].choices[i] == choice)
                return true;
    return false; /* files do not contain the classifier, because sq_space_read adds it */
}

static void put_layer(FILE *file, const sq_space *s, const sq_layer *l)
{
    (void)fprintf(file, "  - {width: %d, ", l->c_requested);
    if (l->stride != 1)
        (void)fprintf(file, "stride: %d, ", l->stride);
    if (l->activation != s->layers[0].activation)
        (void)fprintf(file, "activation: %s, ", sq_activation_name(l->activation));
    (void)fputs("choices: [", file);
    for (int i = 0; i < l->choice_count; i++) {
        (void)fputs(i ? ", " : "", file);
        sq_yaml_put_word(file, s->choices[l->choices[i]].name);
    }
    (void)fputs("]}\n", file);
}

sq_status sq_space_write(const sq_space *space, const char *comment, const char *path)
{
    sq_file_writer w;
    SQ_TRY(sq_file_begin(&w, path));
    put_comment(w.stream, comment);
    put_header(w.stream, space);
    (void)fputs("choices:\n", w.stream);
    for (int i = 0; i < space->choice_count; i++)
        if (is_used(space, i))
            sq_choice_write(&space->choices[i], w.stream);
    (void)fputs("layers:\n", w.stream);
    for (int l = 0; l < space->layer_count - 1; l++)
        put_layer(w.stream, space, &space->layers[l]);
    return sq_file_finish(&w, path);
}
