/* Tests learning-rate schedules. */
#include "supernet/train/schedule.h"
#include "supernet/train/trainer.h"
#include "tests/support/support.h"

Test(schedule, schedules_have_their_ends)
{
    sq_schedule s = {SQ_SCHEDULE_LINEAR, 0.5, 0, 0, 150000};
    cr_expect_float_eq(sq_schedule_at(&s, 0), 0.5, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 75000), 0.25, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 149999), 0.5 / 150000, 1e-9);
    s = (sq_schedule){SQ_SCHEDULE_COSINE, 1, 0.1, 10, 110};
    cr_expect_float_eq(sq_schedule_at(&s, 0), 0.1, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 9), 1, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 10), 1, 1e-12);
    cr_expect_float_eq(sq_schedule_at(&s, 60), 0.55, 1e-12);
    s.kind = SQ_SCHEDULE_CONSTANT;
    cr_expect_float_eq(sq_schedule_at(&s, 100), 1, 0);
}
