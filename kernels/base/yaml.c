/* Reads and writes YAML with libcyaml and libyaml. libcyaml reports an error in several messages to a log function;
 * this file makes one line from the messages. */
#include "kernels/base/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "kernels/base/file.h"
#include "kernels/base/text.h"

enum { TEXT_BYTES = 256, MAX_KEYS = 256, LARGEST_FILE = 16 << 20, DEEPEST = 64, STEP_BYTES = 1024 };

typedef struct {
    char message[TEXT_BYTES];
    char field[64];
    int line;
} report;

/* Stores the first message, then the innermost line and field from the backtrace that follows. */
static void catch_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    report *r = context;
    char text[TEXT_BYTES];
    (void)level; /* libcyaml is configured to log only errors */
    (void)vsnprintf(text, sizeof text, format, arguments);
    text[strcspn(text, "\n")] = 0;
    const char *body = strncmp(text, "Load: ", 6) == 0 ? text + 6 : text;
    const char *line = strstr(body, "(line: ");
    if (!r->message[0] && !line)
        (void)snprintf(r->message, sizeof r->message, "%s", body);
    if (!r->line && line)
        r->line = atoi(line + 7);
    const char *field = strstr(body, "in mapping field '");
    if (!r->field[0] && field) {
        (void)snprintf(r->field, sizeof r->field, "%s", field + 18);
        r->field[strcspn(r->field, "'")] = 0;
    }
}

static cyaml_config_t config_of(report *r)
{
    return (cyaml_config_t){.log_fn = catch_log, .log_ctx = r, .log_level = CYAML_LOG_ERROR, .mem_fn = cyaml_mem};
}

static int collect_keys(const cyaml_schema_value_t *schema, const char **keys, int count)
{
    if (schema->type == CYAML_SEQUENCE || schema->type == CYAML_SEQUENCE_FIXED)
        return collect_keys(schema->sequence.entry, keys, count);
    if (schema->type != CYAML_MAPPING)
        return count;
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key; field++) {
        if (count < MAX_KEYS)
            keys[count++] = field->key;
        count = collect_keys(&field->value, keys, count);
    }
    return count;
}

int sq_yaml_line(const char *text, const char *key, int from)
{
    const size_t length = strlen(key);
    int number = 1, found = 0;
    for (const char *line = text; line && !found; number++) {
        const char *end = strchr(line, '\n');
        const char *stop = end ? end : line + strlen(line);
        for (const char *p = line; number >= from && p + length < stop && *p != '#'; p++) {
            const bool is_start = p == line || strchr(" {,-\"'", p[-1]);
            const char after = p[length];
            if (is_start && strncmp(p, key, length) == 0 && (after == ':' || after == '"' || after == '\'')) {
                found = number;
                break;
            }
        }
        line = end ? end + 1 : NULL;
    }
    return found;
}

static sq_status fail_at_line(const report *r, const char *text, const char *name, const cyaml_schema_value_t *schema)
{
    static const char unexpected[] = "Unexpected key: ";
    if (strncmp(r->message, unexpected, sizeof unexpected - 1) != 0) {
        if (r->field[0] && r->line)
            return sq_fail(SQ_INVALID, "%s:%d: %s: %s", name, r->line, r->field, r->message);
        return sq_fail(SQ_INVALID, "%s:%d: %s", name, r->line, r->message[0] ? r->message : "not valid YAML");
    }
    const char *key = r->message + sizeof unexpected - 1, *keys[MAX_KEYS];
    const char *nearest = sq_text_nearest(key, keys, collect_keys(schema, keys, 0));
    const int line = sq_yaml_line(text, key, r->line);
    if (nearest)
        return sq_fail(SQ_INVALID, "%s:%d: unknown key '%s', did you mean '%s'?", name, line ? line : r->line, key,
                       nearest);
    return sq_fail(SQ_INVALID, "%s:%d: unknown key '%s'", name, line ? line : r->line, key);
}

sq_status sq_yaml_parse(void **out, const char *text, const char *name, const cyaml_schema_value_t *schema)
{
    report r = {{0}, {0}, 0};
    const cyaml_config_t config = config_of(&r);
    cyaml_data_t *data = NULL;
    const cyaml_err_t error = cyaml_load_data((const uint8_t *)text, strlen(text), &config, schema, &data, NULL);
    if (error == CYAML_ERR_OOM)
        return sq_fail(SQ_NO_MEMORY, "%s: YAML", name);
    if (error != CYAML_OK)
        return r.message[0] ? fail_at_line(&r, text, name, schema)
                            : sq_fail(SQ_INVALID, "%s: %s", name, cyaml_strerror(error));
    if (!data)
        return sq_fail(SQ_INVALID, "%s: the file is empty, expected a YAML mapping", name);
    *out = data;
    return SQ_OK;
}

sq_status sq_yaml_load(void **out, const char *path, const cyaml_schema_value_t *schema)
{
    char *text = NULL;
    SQ_TRY(sq_file_read_text(path, LARGEST_FILE, &text));
    const sq_status status = sq_yaml_parse(out, text, path, schema);
    free(text);
    return status;
}

void sq_yaml_free(void *data, const cyaml_schema_value_t *schema)
{
    report r = {{0}, {0}, 0};
    const cyaml_config_t config = config_of(&r);
    (void)cyaml_free(&config, schema, data, 0); /* fails only for a wrong schema */
}

/* Returns the length in bytes of the UTF-8 character at the start of the text and sets *letter to the character.
 * Returns 0 if the bytes are not a valid character. */
static int read_letter(const char *text, uint32_t *letter)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text;
    const int bytes = *p < 0x80 ? 1 : *p < 0xc0 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf8 ? 4 : 0;
    uint32_t value = bytes == 1 ? *p : *p & (0x7fu >> bytes);
    for (int i = 1; i < bytes; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (p[i] & 0x3f);
    }
    if (value < least[bytes] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 0;
    *letter = value;
    return bytes;
}

/* Returns true for characters that YAML refuses or treats as line breaks, even in quotes. source: YAML 1.1, sections
 * 4.1.1 and 4.1.4 */
static bool needs_escape(uint32_t letter)
{
    return letter < 0x20 || (letter >= 0x7f && letter < 0xa0) || letter == 0x2028 || letter == 0x2029 ||
           letter == 0xfeff || letter == 0xfffe || letter == 0xffff;
}

void sq_yaml_put_string(FILE *file, const char *text)
{
    (void)fputc('"', file);
    while (*text) {
        uint32_t letter = 0xfffd; /* replaces bytes that are not UTF-8 */
        const int bytes = read_letter(text, &letter);
        if (bytes == 0 || needs_escape(letter))
            (void)fprintf(file, "\\u%04x", (unsigned)letter);
        else
            (void)fprintf(file, "%s%.*s", letter == '"' || letter == '\\' ? "\\" : "", bytes, text);
        text += bytes ? bytes : 1;
    }
    (void)fputc('"', file);
}

void sq_yaml_put_text(FILE *file, const char *indent, const char *key, const char *text)
{
    if (!*text)
        return;
    (void)fprintf(file, "%s%s: ", indent, key);
    sq_yaml_put_string(file, text);
    (void)fputc('\n', file);
}

void sq_yaml_put_word(FILE *file, const char *word)
{
    static const char *const values[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    const size_t length = strlen(word);
    bool is_plain = isalpha((unsigned char)word[0]) && strspn(word, SQ_TEXT_NAME_LETTERS) == length;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        is_plain = is_plain && strcasecmp(word, values[i]) != 0;
    if (is_plain)
        (void)fputs(word, file);
    else
        sq_yaml_put_string(file, word);
}

/* Writes a number, with a decimal point before an exponent, because YAML 1.1 reads 1e-05 as a string. */
static void put_digits(FILE *file, const char *text)
{
    const size_t mantissa = strcspn(text, "e");
    const bool needs_point = text[mantissa] && !memchr(text, '.', mantissa);
    (void)fprintf(file, "%.*s%s%s", (int)mantissa, text, needs_point ? ".0" : "", text + mantissa);
}

static void put_shortest(FILE *file, double value, bool is_float)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        const double back = strtod(text, NULL);
        if (is_float ? (float)back == (float)value : back == value)
            break;
    }
    put_digits(file, text);
}

void sq_yaml_put_double(FILE *file, double value)
{
    put_shortest(file, value, false);
}

void sq_yaml_put_float(FILE *file, float value)
{
    put_shortest(file, (double)value, true);
}

typedef struct {
    FILE *file;
    const yaml_parser_t *parser;
    bool is_deep;
} source;

/* Reads the next part of the file for libyaml. Stops if brackets are nested more than DEEPEST deep, because the time
 * per token of libyaml grows with the nesting depth, and a file of brackets would take very long. */
static int read_some(void *context, unsigned char *buffer, size_t size, size_t *read)
{
    source *s = context;
    s->is_deep = s->parser->flow_level > DEEPEST;
    if (s->is_deep)
        return 0;
    *read = fread(buffer, 1, size < STEP_BYTES ? size : STEP_BYTES, s->file);
    return !ferror(s->file);
}

sq_status sq_yaml_visit(const char *path, void *context,
                        sq_status (*use)(void *context, const char *path, yaml_document_t *document,
                                         const yaml_node_t *root))
{
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *file = fopen(path, "rb");
    if (!file)
        return sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    if (!yaml_parser_initialize(&parser)) {
        (void)fclose(file); /* nothing was written */
        return sq_fail(SQ_NO_MEMORY, "%s: YAML", path);
    }
    sq_status status = SQ_OK;
    source from = {.file = file, .parser = &parser};
    yaml_parser_set_input(&parser, read_some, &from);
    if (yaml_parser_load(&parser, &document)) {
        status = use(context, path, &document, yaml_document_get_root_node(&document));
        yaml_document_delete(&document);
    } else if (from.is_deep) {
        status =
            sq_fail(SQ_INVALID, "%s:%zu: brackets are nested more than %d deep", path, parser.mark.line + 1, DEEPEST);
    } else {
        status = sq_fail(SQ_INVALID, "%s:%zu: %s", path, parser.problem_mark.line + 1,
                         parser.problem ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    (void)fclose(file); /* nothing was written */
    return status;
}
