/* Event files. A record consists of the length of the message (8 bytes, little-endian), the masked CRC of the length,
 * the message, and the masked CRC of the message. */
#include "supernet/train/log/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/text.h"
#include "supernet/train/log/events.pb-c.h"

enum { HOST_BYTES = 256, STRING_TYPE = 7, SESSION_START = 1 };

struct sq_events {
    FILE *file;
};

/* ---- Records ---- */

uint32_t sq_crc32c(const void *data, size_t bytes)
{
    const unsigned char *p = data;
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* TFRecord masks CRCs, because the CRC of data that contains CRCs is weak. */
static uint32_t masked_crc(const void *data, size_t bytes)
{
    const uint32_t crc = sq_crc32c(data, bytes);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void put_little_endian(unsigned char *out, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

static void put_record(sq_events *e, const unsigned char *message, size_t bytes)
{
    unsigned char head[12], tail[4];
    put_little_endian(head, bytes, 8);
    put_little_endian(head + 8, masked_crc(head, 8), 4);
    put_little_endian(tail, masked_crc(message, bytes), 4);
    (void)fwrite(head, 1, sizeof head, e->file); /* write errors are ignored */
    (void)fwrite(message, 1, bytes, e->file);
    (void)fwrite(tail, 1, sizeof tail, e->file);
    (void)fflush(e->file);
}

static void put_event(sq_events *e, SquallEvents__Event *event)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
    event->wall_time = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    const size_t bytes = squall_events__event__get_packed_size(event);
    unsigned char *message = malloc(bytes ? bytes : 1);
    if (!message)
        return; /* one point of a curve is lost */
    (void)squall_events__event__pack(event, message);
    put_record(e, message, bytes);
    free(message);
}

/* ---- Events ---- */

static void put_value(sq_events *e, int64_t step, SquallEvents__Value *value)
{
    SquallEvents__Summary summary = SQUALL_EVENTS__SUMMARY__INIT;
    SquallEvents__Event event = SQUALL_EVENTS__EVENT__INIT;
    SquallEvents__Value *values[] = {value};
    summary.n_value = 1;
    summary.value = values;
    event.step = step;
    event.what_case = SQUALL_EVENTS__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    put_event(e, &event);
}

void sq_events_scalar(sq_events *e, const char *tag, int64_t step, double number)
{
    SquallEvents__Value value = SQUALL_EVENTS__VALUE__INIT;
    value.tag = (char *)tag; /* protobuf-c only reads it */
    value.value_case = SQUALL_EVENTS__VALUE__VALUE_SIMPLE_VALUE;
    value.simple_value = (float)number;
    put_value(e, step, &value);
}

void sq_events_text(sq_events *e, const char *tag, int64_t step, const char *text)
{
    SquallEvents__PluginData plugin = SQUALL_EVENTS__PLUGIN_DATA__INIT;
    SquallEvents__SummaryMetadata metadata = SQUALL_EVENTS__SUMMARY_METADATA__INIT;
    SquallEvents__Dim one = SQUALL_EVENTS__DIM__INIT;
    SquallEvents__TensorShape shape = SQUALL_EVENTS__TENSOR_SHAPE__INIT;
    SquallEvents__Tensor tensor = SQUALL_EVENTS__TENSOR__INIT;
    SquallEvents__Value value = SQUALL_EVENTS__VALUE__INIT;
    ProtobufCBinaryData words = {strlen(text), (uint8_t *)text}; /* protobuf-c only reads it */
    SquallEvents__Dim *dims[] = {&one};
    one.size = 1;
    shape.n_dim = 1;
    shape.dim = dims;
    tensor.dtype = STRING_TYPE;
    tensor.tensor_shape = &shape;
    tensor.n_string_val = 1;
    tensor.string_val = &words;
    plugin.plugin_name = (char *)"text";
    metadata.plugin_data = &plugin;
    value.tag = (char *)tag;
    value.metadata = &metadata;
    value.value_case = SQUALL_EVENTS__VALUE__VALUE_TENSOR;
    value.tensor = &tensor;
    put_value(e, step, &value);
}

void sq_events_network(sq_events *e, const char *tag, int64_t step, const sq_space *space, const int *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (!file)
        return; /* one page of text is lost */
    (void)fprintf(file, "**%s**\n\n| layer | output | channels | operator |\n| ---: | ---: | ---: | --- |\n",
                  space->name);
    for (int l = 0; l < space->layer_count; l++) {
        const sq_layer *layer = &space->layers[l];
        (void)fprintf(file, "| %d | %d x %d | %d | ", l, layer->h_out, layer->w_out, layer->c_out);
        for (int c = path ? path[l] : 0; c < (path ? path[l] + 1 : layer->choice_count); c++)
            (void)fprintf(file, "%s`%s`", c && !path ? ", " : "", space->choices[layer->choices[c]].name);
        (void)fprintf(file, " |\n");
    }
    if (fclose(file) == 0)
        sq_events_text(e, tag, step, text);
    free(text);
}

/* ---- Files ---- */

sq_status sq_events_create(sq_events **out, const char *path)
{
    SquallEvents__Event event = SQUALL_EVENTS__EVENT__INIT;
    sq_events *e = calloc(1, sizeof *e);
    if (!e)
        return sq_fail(SQ_NO_MEMORY, "%s: events", path);
    e->file = fopen(path, "wb");
    if (!e->file) {
        free(e);
        return sq_fail(SQ_IO, "%s: %s", path, strerror(errno));
    }
    event.what_case = SQUALL_EVENTS__EVENT__WHAT_FILE_VERSION;
    event.file_version = (char *)"brain.Event:2";
    put_event(e, &event);
    *out = e;
    return SQ_OK;
}

sq_status sq_events_open(sq_events **out, const char *folder, int64_t from)
{
    char name[HOST_BYTES + 80], host[HOST_BYTES] = "localhost", path[SQ_PATH_BYTES];
    SquallEvents__SessionLog start = SQUALL_EVENTS__SESSION_LOG__INIT;
    SquallEvents__Event event = SQUALL_EVENTS__EVENT__INIT;
    (void)gethostname(host, sizeof host - 1); /* on failure, host stays "localhost" */
    (void)snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%lld", (long long)time(NULL), host,
                   (long long)getpid());
    SQ_TRY(sq_text_path(path, sizeof path, folder, name));
    SQ_TRY(sq_events_create(out, path));
    if (from <= 0)
        return SQ_OK;
    start.status = SESSION_START;
    event.step = from + 1;
    event.what_case = SQUALL_EVENTS__EVENT__WHAT_SESSION_LOG;
    event.session_log = &start;
    put_event(*out, &event);
    return SQ_OK;
}

void sq_events_close(sq_events *e)
{
    if (!e)
        return;
    (void)fclose(e->file); /* every record was flushed */
    free(e);
}
