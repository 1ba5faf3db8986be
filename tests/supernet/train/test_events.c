#include "supernet/train/log/events.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "tests/support/support.h"

/* The expected values are from RFC 3720, appendix B.4, and from catalogues of CRCs (check value of CRC-32C). */
Test(events, crc32c_has_the_published_values)
{
    unsigned char bytes[32] = {0};
    cr_expect_eq(sq_crc32c("123456789", 9), 0xe3069283);
    cr_expect_eq(sq_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    cr_expect_eq(sq_crc32c(bytes, 32), 0x62a8ab43);
}

/* Each record has a length (8 bytes), the CRC of the length, the message, and the CRC of the message. */
Test(events, a_file_is_a_list_of_complete_records)
{
    char *folder = make_folder(), path[256], *data = NULL;
    size_t bytes = 0;
    int records = 0;
    sq_events *events = NULL;
    (void)snprintf(path, sizeof path, "%s/events", folder);
    MUST(sq_events_create(&events, path));
    sq_events_scalar(events, "loss", 3, 0.5);
    sq_events_text(events, "note", 4, "text");
    sq_events_close(events);
    MUST(sq_file_read(path, 1 << 16, &data, &bytes));
    for (size_t at = 0; at < bytes; records++) {
        uint64_t length = 0;
        cr_assert_leq(at + 12, bytes);
        memcpy(&length, data + at, sizeof length);
        at += 12 + (size_t)length + 4;
        cr_assert_leq(at, bytes);
    }
    cr_expect_eq(records, 3, "a version, a scalar and a text");
    free(data);
    drop_folder(folder);
}
