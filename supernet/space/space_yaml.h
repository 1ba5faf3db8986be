#ifndef SQ_SPACE_YAML_H
#define SQ_SPACE_YAML_H

#include "kernels/base/yaml.h"
#include "supernet/space/choice.h"

/* A space file as libcyaml reads it; space.c turns it into an sq_space. Numbers that the file leaves out are 0. */

typedef struct {
    int width, repeat, stride;
    char **choices;
    unsigned choices_count;
    sq_activation *activation;
} sq_raw_layer;

typedef struct {
    bool *affine;
    double epsilon, momentum;
} sq_raw_norm;

typedef struct {
    char *name, *source;
    int resolution, classes;
    sq_widths widths;
    sq_naming naming;
    sq_init init;
    sq_raw_norm norm;
    sq_activation *activation;
    double dropout;
    bool classifier_bias;
    sq_raw_choice *choices;
    unsigned choices_count;
    char **searched;
    unsigned searched_count;
    sq_raw_layer *layers;
    unsigned layers_count;
} sq_raw_space;

extern const cyaml_schema_value_t sq_space_schema;

/* The words of these values in space files. */
const char *sq_widths_name(sq_widths widths);
const char *sq_naming_name(sq_naming naming);
const char *sq_init_name(sq_init init);

#endif
