/* Tests the choice of the evaluation batch, and the file that stores it. */
#include <stdio.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/evaluate/batch_choice.h"
#include "tests/support/support.h"

/* The chosen batch depends on measured times, so the test checks only the bounds and the file. */
Test(batch_choice, stays_within_images_and_budget_and_is_saved)
{
    subject s = open_subject(SOURCE("configs/spaces/tiny.yaml"), "cpu", 1, 4);
    sq_image_set images = random_images(s.space, 70, 1);
    sq_batch_candidates candidates = {s.backend, s.space, s.model, &images, (size_t)1 << 30};
    int batch = 0;
    MUST(sq_batch_choose(&batch, &candidates));
    cr_expect(batch == 16 || batch == 32 || batch == 64, "%d", batch);
    candidates.budget_bytes = 1;
    MUST(sq_batch_choose(&batch, &candidates));
    cr_expect_eq(batch, 16);
    images.count = 5;
    candidates.budget_bytes = (size_t)1 << 30;
    MUST(sq_batch_choose(&batch, &candidates));
    cr_expect_eq(batch, 5);
    char *folder = make_folder(), path[400];
    (void)snprintf(path, sizeof path, "%s/batch.json", folder);
    MUST(sq_batch_choice_read(path, &batch));
    cr_expect_eq(batch, 0);
    MUST(sq_batch_choice_write(path, 48));
    MUST(sq_batch_choice_read(path, &batch));
    cr_expect_eq(batch, 48);
    for (int i = 0; i < 3; i++) {
        static const char *const wrong[] = {"", "{\"evaluation_batch\": 0}", "{\"evaluation_batch\": 4096}"};
        const sq_piece piece = {wrong[i], strlen(wrong[i])};
        MUST(sq_file_replace(path, &piece, 1));
        cr_expect_eq(sq_batch_choice_read(path, &batch), SQ_INVALID);
        cr_expect_not_null(strstr(sq_error_text(), "no evaluation batch"));
    }
    drop_folder(folder);
    sq_image_set_clear(&images);
    close_subject(&s);
}
