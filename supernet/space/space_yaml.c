/* The schema of space files. */
#include "supernet/space/space_yaml.h"

#define OPTIONAL         CYAML_FLAG_OPTIONAL
#define STRICT_OPTIONAL  (CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT)
#define POINTER_OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define COUNT(array)     (sizeof(array) / sizeof *(array))

static const cyaml_strval_t widths[] = {{"round", SQ_WIDTHS_ROUND}, {"pad", SQ_WIDTHS_PAD}, {"keep", SQ_WIDTHS_KEEP}};
static const cyaml_strval_t namings[] = {{"spos", SQ_NAMES_SPOS}, {"proxyless", SQ_NAMES_PROXYLESS}};
static const cyaml_strval_t inits[] = {{"spos", SQ_INIT_SPOS}, {"he", SQ_INIT_HE}};

static const cyaml_schema_value_t name_value = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char *, 1, SQ_NAME_BYTES - 1)};

static const cyaml_schema_field_t layer_fields[] = {
    CYAML_FIELD_INT("width", CYAML_FLAG_DEFAULT, sq_raw_layer, width),
    CYAML_FIELD_INT("repeat", OPTIONAL, sq_raw_layer, repeat),
    CYAML_FIELD_INT("stride", OPTIONAL, sq_raw_layer, stride),
    CYAML_FIELD_SEQUENCE("choices", POINTER_OPTIONAL, sq_raw_layer, choices, &name_value, 1, SQ_MAX_CHOICES),
    CYAML_FIELD_ENUM_PTR("activation", POINTER_OPTIONAL | CYAML_FLAG_STRICT, sq_raw_layer, activation,
                         sq_choice_activations, SQ_CHOICE_ACTIVATIONS),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t layer_value = {CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, sq_raw_layer, layer_fields)};

static const cyaml_schema_field_t norm_fields[] = {
    CYAML_FIELD_BOOL_PTR("affine", POINTER_OPTIONAL, sq_raw_norm, affine),
    CYAML_FIELD_FLOAT("epsilon", OPTIONAL, sq_raw_norm, epsilon),
    CYAML_FIELD_FLOAT("momentum", OPTIONAL, sq_raw_norm, momentum),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t space_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, sq_raw_space, name, 1, SQ_NAME_BYTES - 1),
    CYAML_FIELD_STRING_PTR("source", POINTER_OPTIONAL, sq_raw_space, source, 0, 1000),
    CYAML_FIELD_INT("resolution", CYAML_FLAG_DEFAULT, sq_raw_space, resolution),
    CYAML_FIELD_INT("classes", CYAML_FLAG_DEFAULT, sq_raw_space, classes),
    CYAML_FIELD_ENUM("widths", STRICT_OPTIONAL, sq_raw_space, widths, widths, COUNT(widths)),
    CYAML_FIELD_ENUM("naming", STRICT_OPTIONAL, sq_raw_space, naming, namings, COUNT(namings)),
    CYAML_FIELD_ENUM("init", STRICT_OPTIONAL, sq_raw_space, init, inits, COUNT(inits)),
    CYAML_FIELD_MAPPING("norm", OPTIONAL, sq_raw_space, norm, norm_fields),
    CYAML_FIELD_ENUM_PTR("activation", POINTER_OPTIONAL | CYAML_FLAG_STRICT, sq_raw_space, activation,
                         sq_choice_activations, SQ_CHOICE_ACTIVATIONS),
    CYAML_FIELD_FLOAT("dropout", OPTIONAL, sq_raw_space, dropout),
    CYAML_FIELD_BOOL("classifier_bias", OPTIONAL, sq_raw_space, classifier_bias),
    CYAML_FIELD_SEQUENCE("choices", CYAML_FLAG_POINTER, sq_raw_space, choices, &sq_choice_schema, 1,
                         SQ_MAX_CHOICES - 1),
    CYAML_FIELD_SEQUENCE("searched", POINTER_OPTIONAL, sq_raw_space, searched, &name_value, 1, SQ_MAX_CHOICES - 1),
    CYAML_FIELD_SEQUENCE("layers", CYAML_FLAG_POINTER, sq_raw_space, layers, &layer_value, 1, SQ_MAX_LAYERS - 1),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t sq_space_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, sq_raw_space, space_fields)};

static const char *word_of(const cyaml_strval_t *words, size_t count, int64_t value)
{
    for (size_t i = 0; i < count; i++)
        if (words[i].val == value)
            return words[i].str;
    return "";
}

const char *sq_widths_name(sq_widths value)
{
    return word_of(widths, COUNT(widths), value);
}

const char *sq_naming_name(sq_naming value)
{
    return word_of(namings, COUNT(namings), value);
}

const char *sq_init_name(sq_init value)
{
    return word_of(inits, COUNT(inits), value);
}
