/* Tests roofline.yaml, networks as lists of operations, and checks.csv. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/base/file.h"
#include "search/cost/fit/fit.h"
#include "search/cost/roofline_file.h"
#include "tests/support/support.h"

static sq_roofline plain_device(void)
{
    sq_roofline r = {.bytes_per_value = 2, .bytes_per_weight = 1};
    for (int k = 0; k < SQ_ROOFLINE_CLASSES; k++)
        r.rates[k] = (sq_roofline_rate){100, 10, 1, 1, 1, 0, 0};
    return r;
}

static const char good_yaml[] =
    "bytes_per_value: 2\nbytes_per_weight: 2\noperations:\n"
    "  - {class: conv, gops_per_s: 1, gb_per_s: 2, launch_us: 3, c_in_step: 4, c_in_share: 0.5}\n"
    "  - {class: depthwise, gops_per_s: 1, gb_per_s: 2, launch_us: 3}\n"
    "  - {class: linear, gops_per_s: 1, gb_per_s: 2, launch_us: 3}\n"
    "  - {class: pool, gops_per_s: 5, gb_per_s: 2, launch_us: 3}\n"
    "  - {class: elementwise, gops_per_s: 6, gb_per_s: 2, launch_us: 3}\n";

Test(roofline_file, files_are_read_and_bad_ones_refused)
{
    static const struct {
        const char *more, *wanted;
    } bad[] = {
        {"", "no class 'activation'"},
        {"  - {class: activatoin, gops_per_s: 1, gb_per_s: 2, launch_us: 3}\n", "did you mean 'activation'"},
        {"  - {class: conv, gops_per_s: 1, gb_per_s: 2, launch_us: 3}\n", "occurs twice"},
        {"  - {class: activation, gops_per_s: 0, gb_per_s: 2, launch_us: 3}\n", "gops_per_s 0"},
        {"  - {class: activation, gops_per_s: 1, gb_per_s: 2, launch_us: -3}\n", "launch_us -3"},
        {"  - {class: activation, gops_per_s: 1, gb_per_s: 2, launch_us: 3, c_out_share: 2}\n", "shares 0 and 2"},
        {"  - {class: activation, gops_per_s: 1, gbps: 2, launch_us: 3}\n", "unknown key 'gbps'"},
        {"  - {class: activation, gops_per_s: 1, gb_per_s: 2, launch_us: 3}\nfused: [conv-relu]\n",
         "fused 'conv-relu'"},
    };
    char *folder = make_folder(), path[600], text[2000];
    sq_roofline r;
    (void)snprintf(path, sizeof path, "%s/roofline.yaml", folder);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const sq_piece piece = {text, (size_t)snprintf(text, sizeof text, "%s%s", good_yaml, bad[i].more)};
        MUST(sq_file_replace(path, &piece, 1));
        cr_expect_eq(sq_roofline_read(&r, path), SQ_INVALID, "file %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), bad[i].wanted), "file %zu: %s", i, sq_error_text());
    }
    const sq_piece piece = {text, (size_t)snprintf(text, sizeof text, "%s%s", good_yaml,
                                                   "  - {class: activation, gops_per_s: 1, gb_per_s: 2, launch_us: 3}\n"
                                                   "fused: [conv+relu]\n")};
    MUST(sq_file_replace(path, &piece, 1));
    MUST(sq_roofline_read(&r, path));
    cr_expect(r.rates[SQ_ROOFLINE_CONV].c_in_step == 4 && r.rates[SQ_ROOFLINE_CONV].c_out_step == 1);
    cr_expect(r.rates[SQ_ROOFLINE_GLOBAL_POOL].gops_per_s == 5 && r.rates[SQ_ROOFLINE_SHUFFLE].gops_per_s == 6);
    cr_expect(r.is_fused[SQ_ROOFLINE_CONV][SQ_ROOFLINE_RELU] && !r.is_fused[SQ_ROOFLINE_CONV][SQ_ROOFLINE_RELU6]);
    drop_folder(folder);
}

Test(roofline_file, bad_lists_of_operations_are_refused_by_line)
{
    static const char header[] = "class,h_in,w_in,c_in,h_out,w_out,c_out,kernel,stride,groups,activation,follows\n";
    static const struct {
        const char *row, *wanted;
    } bad[] = {
        {"", "no operations"},
        {"conv,1,1\n", ":2: 3 columns, expected 12"},
        {"convolution,8,8,3,8,8,4,3,1,1,relu,0\n", ":2: unknown class 'convolution'"},
        {"activation,8,8,4,8,8,4,1,1,1,linear,0\n", ":2: unknown class 'activation'"},
        {"conv,8,8,0,8,8,4,3,1,1,relu,0\n", ":2: '0', expected a whole number"},
        {"conv,8,8,3,8,8,4,3,1,1,swoosh,0\n", ":2: unknown activation 'swoosh'"},
        {"conv,8,8,3,8,8,4,3,1,1,relu,2\n", ":2: follows '2'"},
        {"conv,8,8,3,8,8,4,3,1,2,relu,1\n", ":2: 2 groups of 3 and 4 channels"},
    };
    char *folder = make_folder(), path[600], text[400];
    const sq_roofline r = plain_device();
    double ms = 7;
    (void)snprintf(path, sizeof path, "%s/n.csv", folder);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const sq_piece piece = {text, (size_t)snprintf(text, sizeof text, "%s%s", header, bad[i].row)};
        MUST(sq_file_replace(path, &piece, 1));
        cr_expect_eq(sq_roofline_network(&r, path, &ms), SQ_INVALID, "file %zu", i);
        cr_expect_not_null(strstr(sq_error_text(), bad[i].wanted), "file %zu: %s", i, sq_error_text());
    }
    cr_expect_eq(ms, 7);
    drop_folder(folder);
}

/* ---- Modelled devices and published measurements ---- */

/* Prints the errors of a device's check points. Returns the quality of the predictions; its count is 0 if there are no
 * check points. */
static sq_quality check_device(const char *name)
{
    char path[600];
    sq_roofline r;
    sq_roofline_check *checks = NULL;
    size_t count = 0;
    sq_quality q = {0};
    double predicted[64], measured[64];
    (void)snprintf(path, sizeof path, "%s/configs/devices/%s/roofline.yaml", source_path(""), name);
    MUST(sq_roofline_read(&r, path));
    (void)snprintf(path, sizeof path, "%s/configs/devices/%s/checks.csv", source_path(""), name);
    MUST(sq_roofline_checks(&r, path, &checks, &count));
    cr_assert_leq(count, 64);
    for (size_t i = 0; i < count; i++) {
        measured[i] = checks[i].measured;
        predicted[i] = checks[i].predicted;
        printf("%-20s %-26s measured %7.2f ms, modelled %7.2f ms, %+5.1f %%\n", name, checks[i].network, measured[i],
               predicted[i], 100 * (predicted[i] / measured[i] - 1));
    }
    if (count > 0)
        MUST(sq_fit_quality(&q, predicted, measured, count));
    printf("%-20s %zu networks, MAPE %.1f %%, within 10 %% %.0f %%, tau %.2f\n", name, count, q.mape, q.within_10,
           q.tau);
    free(checks);
    return q;
}

/* configs/devices/README.md lists the same numbers. Update both if a parameter or a network changes. */
Test(roofline_file, modelled_devices_have_the_errors_of_their_readme)
{
    const sq_quality myriad = check_device("myriad-x"), cpu = check_device("snapdragon-845-cpu"),
                     dsp = check_device("hexagon-685");
    cr_expect_eq(myriad.count, 18);
    cr_expect_float_eq(myriad.mape, 35.6, 0.05, "%g", myriad.mape);
    cr_expect_float_eq(myriad.tau, 0.66, 0.005, "%g", myriad.tau);
    cr_expect_eq(cpu.count, 4);
    cr_expect_float_eq(cpu.mape, 20.1, 0.05, "%g", cpu.mape);
    cr_expect_eq(cpu.tau, 1);
    cr_expect_eq(dsp.count, 0);
}

/* Which of two networks is faster depends on the device, so each device needs a separate search. Measured times
 * are 22.6 and 39.4 ms on a Myriad X, and 46.4 and 36.4 ms on a Cortex-A76. */
Test(roofline_file, the_faster_network_depends_on_the_device)
{
    static const struct {
        const char *device;
        bool is_v2_faster;
    } devices[] = {{"myriad-x", true}, {"snapdragon-845-cpu", false}};
    for (int d = 0; d < 2; d++)
        for (int n = 0; n < 2; n++) {
            char path[600];
            sq_roofline r;
            double v2 = 0, v3 = 0;
            const char *prefix = n ? "nnmeter_" : "";
            (void)snprintf(path, sizeof path, "%s/configs/devices/%s/roofline.yaml", source_path(""),
                           devices[d].device);
            MUST(sq_roofline_read(&r, path));
            (void)snprintf(path, sizeof path, "%s/configs/devices/networks/%smobilenetv2.csv", source_path(""), prefix);
            MUST(sq_roofline_network(&r, path, &v2));
            (void)snprintf(path, sizeof path, "%s/configs/devices/networks/%smobilenetv3large.csv", source_path(""),
                           prefix);
            MUST(sq_roofline_network(&r, path, &v3));
            cr_expect_eq(v2 < v3, devices[d].is_v2_faster, "%s: %g, %g", devices[d].device, v2, v3);
        }
}
