/* The first and last operations of a network: images, linear layer, loss and update. */
#include <cblas.h>

#include "kernels/cpu/band.h"
#include "kernels/loss.h"

/* ---- Images ---- */

static float clamp_pixel(float x)
{
    return x < 0 ? 0 : x > 255 ? 255 : x;
}

static float grey_of(const float *rgb)
{
    return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
}

/* Adjusts an image as torchvision does. `adjustment` 0, brightness, blends each pixel with black; 1, contrast, with the
 * mean grey of the image; 2, saturation, with the pixel's own grey. */
static void adjust(float *image, size_t pixels, int adjustment, float factor)
{
    double grey_sum = 0;
    for (size_t p = 0; p < pixels && adjustment == 1; p++)
        grey_sum += grey_of(image + 3 * p);
    const float mean = (float)(grey_sum / (double)pixels);
    for (size_t p = 0; p < pixels; p++) {
        float *rgb = image + 3 * p;
        const float other = adjustment == 0 ? 0 : adjustment == 1 ? mean : grey_of(rgb);
        for (int i = 0; i < 3; i++)
            rgb[i] = clamp_pixel(factor * rgb[i] + (1 - factor) * other);
    }
}

void SQ_CPU_NAME(image_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    *shared = 0;
    *scratch = 3 * (size_t)call->x.h * (size_t)call->x.w;
}

static void load_image(const sq_cpu_call *call, int n, bool is_flipped, float *out)
{
    const size_t w = (size_t)call->x.w, h = (size_t)call->x.h;
    const uint8_t *in = (const uint8_t *)call->raw_x + (size_t)n * h * w * 3;
    if (!is_flipped) {
        for (size_t i = 0; i < h * w * 3; i++)
            out[i] = in[i];
        return;
    }
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++)
            for (size_t i = 0; i < 3; i++)
                out[(y * w + x) * 3 + i] = in[(y * w + w - 1 - x) * 3 + i];
}

static void store_image(const sq_cpu_call *call, int n, const float *image)
{
    const sq_op *op = call->op;
    const size_t pixels = (size_t)call->x.h * (size_t)call->x.w, pitch = (size_t)call->out.pitch;
    float *out = call->out.data + (size_t)n * pixels * pitch;
    for (int i = 0; i < 3; i++) {
        const int channel = op->is_bgr ? 2 - i : i;
        for (size_t p = 0; p < pixels; p++) {
            const float value = image[3 * p + (size_t)i];
            out[p * pitch + (size_t)channel] = op->is_raw ? value : (value / 255 - op->mean[i]) / op->deviation[i];
        }
    }
}

void SQ_CPU_NAME(image_run)(const sq_cpu_call *call)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const size_t pixels = (size_t)call->x.h * (size_t)call->x.w;
#pragma omp parallel for num_threads(call->threads) schedule(static)
    for (int n = 0; n < call->x.n; n++) {
        const float *augment = call->augment.data ? call->augment.data + (size_t)n * SQ_AUGMENT_COUNT : NULL;
        float *image = scratch_of(call);
        load_image(call, n, augment && augment[SQ_AUGMENT_FLIP] > 0.5f, image);
        for (int step = 0; augment && augment[SQ_AUGMENT_ORDER] >= 0 && step < 3; step++) {
            const int adjustment = orders[(int)augment[SQ_AUGMENT_ORDER] % 6][step];
            adjust(image, pixels, adjustment, augment[SQ_AUGMENT_BRIGHTNESS + adjustment]);
        }
        store_image(call, n, image);
    }
}

/* ---- Linear layer ---- */

void SQ_CPU_NAME(linear_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    (void)call; /* no workspace is needed */
    *shared = *scratch = 0;
}

void SQ_CPU_NAME(linear_run)(const sq_cpu_call *call)
{
    const int n = call->x.n, c_in = call->x.c, c_out = call->out.c;
    for (int i = 0; i < n; i++)
        for (int o = 0; o < c_out; o++)
            call->out.data[(size_t)i * (size_t)call->out.pitch + (size_t)o] = call->bias ? call->bias[o] : 0;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, c_out, c_in, 1, call->x.data, call->x.pitch, call->weight,
                c_in, 1, call->out.data, call->out.pitch);
}

void SQ_CPU_NAME(linear_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    (void)call; /* no workspace is needed */
    *shared = *scratch = 0;
}

void SQ_CPU_NAME(linear_back_run)(const sq_cpu_call *call)
{
    const int n = call->x.n, c_in = call->x.c, c_out = call->grad.c;
    const float beta = call->step->accumulate ? 1 : 0; /* of the matrix product */
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c_out, c_in, n, 1, call->grad.data, call->grad.pitch,
                call->x.data, call->x.pitch, beta, call->weight_grad, c_in);
    for (int o = 0; o < c_out && call->bias_grad; o++) {
        float sum = call->step->accumulate ? call->bias_grad[o] : 0;
        for (int i = 0; i < n; i++)
            sum += call->grad.data[(size_t)i * (size_t)call->grad.pitch + (size_t)o];
        call->bias_grad[o] = sum;
    }
    if (call->dx.data)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, c_in, c_out, 1, call->grad.data, call->grad.pitch,
                    call->weight, c_in, 0, call->dx.data, call->dx.pitch);
}

/* ---- Loss ---- */

void SQ_CPU_NAME(loss_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    (void)call; /* no workspace is needed */
    *shared = *scratch = 0;
}

void SQ_CPU_NAME(loss_run)(const sq_cpu_call *call)
{
    const sq_step *step = call->step;
    const int32_t *labels = call->labels;
    sq_result *result = call->raw_out;
    for (int n = 0; n < call->x.n; n++) { /* one thread, so that the order of the sums is fixed */
        float *gradient = call->dx.data ? call->dx.data + (size_t)n * (size_t)call->dx.pitch : NULL;
        if (n >= step->valid_count) {
            if (gradient)
                memset(gradient, 0, (size_t)call->x.c * sizeof *gradient);
            continue;
        }
        const sq_loss_row row = {.logits = call->x.data + (size_t)n * (size_t)call->x.pitch,
                                 .gradient = gradient,
                                 .classes = call->x.c,
                                 .label = labels[n],
                                 .smoothing = call->op->label_smoothing,
                                 .scale = step->gradient_scale / (float)step->valid_count};
        sq_loss_of_row(&row, result);
    }
}

/* ---- Update ---- */

void SQ_CPU_NAME(update_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    (void)call; /* no workspace is needed */
    *shared = *scratch = 0;
}

void SQ_CPU_NAME(update_run)(const sq_cpu_call *call)
{
    const sq_step *step = call->step;
    float *weight = call->out.data, *momentum = call->momentum.data, *average = call->average.data;
    const float *gradient = call->weight_grad;
    const float rate = step->learning_rate, inertia = step->momentum, average_decay = step->average_decay;
#pragma omp parallel for num_threads(call->threads) schedule(static) if (call->out.c > 16384)
    for (int i = 0; i < call->out.c; i++) {
        const float decay = (size_t)i < call->op->decayed_count ? step->weight_decay : 0;
        momentum[i] = inertia * momentum[i] + (gradient[i] + decay * weight[i]);
        weight[i] -= rate * momentum[i];
        if (average)
            average[i] = average_decay * average[i] + (1 - average_decay) * weight[i];
    }
}
