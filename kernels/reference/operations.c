/* All operations except convolutions: images, gates, joins, pooling, linear layers, loss and update. */
#include <math.h>
#include <string.h>

#include "kernels/dropout.h"
#include "kernels/loss.h"
#include "kernels/reference/reference.h"

enum { MOST_CHANNELS = 16384 }; /* largest number of channels of a gate; sq_space_read refuses wider layers */

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
static void adjust(float *image, int pixels, int adjustment, float factor)
{
    double grey_sum = 0;
    for (int p = 0; p < pixels && adjustment == 1; p++)
        grey_sum += grey_of(image + 3 * p);
    const float mean = (float)(grey_sum / pixels);
    for (int p = 0; p < pixels; p++) {
        float *rgb = image + 3 * p;
        const float other = adjustment == 0 ? 0 : adjustment == 1 ? mean : grey_of(rgb);
        for (int i = 0; i < 3; i++)
            rgb[i] = clamp_pixel(factor * rgb[i] + (1 - factor) * other);
    }
}

void sq_reference_image(const sq_reference_call *call)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    const uint8_t *pixels = sq_host_address(call->graph, call->at, op->x.slot);
    const int count = x->h * x->w;
    for (int n = 0; n < x->n; n++) {
        const float *augment =
            op->augment == SQ_NONE ? NULL : sq_ref_data(call, op->augment) + (size_t)n * SQ_AUGMENT_COUNT;
        const bool is_flipped = augment && augment[SQ_AUGMENT_FLIP] > 0.5f;
        float *out = sq_ref_at(call, op->out, sq_at(n, 0, 0, 0)); /* (h, w, 3) without padding during the jitter */
        for (int p = 0; p < count; p++)
            for (int i = 0; i < 3; i++) {
                const int source = is_flipped ? p / x->w * x->w + x->w - 1 - p % x->w : p;
                out[3 * p + i] = pixels[((size_t)n * (size_t)count + (size_t)source) * 3 + (size_t)i];
            }
        for (int step = 0; augment && augment[SQ_AUGMENT_ORDER] >= 0 && step < 3; step++) {
            const int adjustment = orders[(int)augment[SQ_AUGMENT_ORDER] % 6][step];
            adjust(out, count, adjustment, augment[SQ_AUGMENT_BRIGHTNESS + adjustment]);
        }
        const int pitch = sq_ref_slot(call, op->out)->pitch;
        for (int p = count; p-- > 0;) { /* backwards, so that no pixel is overwritten before it is read */
            const float rgb[3] = {out[3 * p], out[3 * p + 1], out[3 * p + 2]};
            for (int i = 3; i < pitch; i++)
                out[(size_t)p * (size_t)pitch + (size_t)i] = 0;
            for (int i = 0; i < 3; i++) {
                const float value = op->is_raw ? rgb[i] : (rgb[i] / 255 - op->mean[i]) / op->deviation[i];
                out[(size_t)p * (size_t)pitch + (size_t)(op->is_bgr ? 2 - i : i)] = value;
            }
        }
    }
}

/* ---- Squeeze and excitation ---- */

static double mean_of(const sq_reference_call *call, sq_view view, int n, int i)
{
    const sq_slot *s = sq_ref_slot(call, view.slot);
    double sum = 0;
    for (int h = 0; h < s->h; h++)
        for (int w = 0; w < s->w; w++)
            sum += sq_ref_value(call, view, sq_at(n, h, w, i));
    return sum / ((double)s->h * s->w);
}

/* Returns the value of channel i before the gate's last activation. */
static float gate_pre(const sq_reference_call *call, int n, int i)
{
    const int r = sq_ref_slot(call, call->op->hidden)->c;
    double sum = sq_ref_data(call, call->op->bias2)[i];
    for (int j = 0; j < r; j++)
        sum += (double)sq_ref_data(call, call->op->weight2)[i * r + j] *
               *sq_ref_at(call, call->op->hidden, sq_at(n, 0, 0, j));
    return (float)sum;
}

void sq_reference_gate(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    const int r = sq_ref_slot(call, op->hidden)->c;
    for (int n = 0; n < x->n; n++) {
        for (int i = 0; i < x->c; i++)
            *sq_ref_at(call, op->pooled, sq_at(n, 0, 0, i)) = (float)mean_of(call, op->x, n, i);
        for (int j = 0; j < r; j++) {
            double sum = sq_ref_data(call, op->bias)[j];
            for (int i = 0; i < x->c; i++)
                sum += (double)sq_ref_data(call, op->weight)[j * x->c + i] *
                       *sq_ref_at(call, op->pooled, sq_at(n, 0, 0, i));
            *sq_ref_at(call, op->hidden, sq_at(n, 0, 0, j)) = sq_activate(SQ_RELU, (float)sum);
        }
        for (int i = 0; i < x->c; i++)
            *sq_ref_at(call, op->out, sq_at(n, 0, 0, i)) = sq_activate(op->gate_activation, gate_pre(call, n, i));
    }
}

/* Returns d loss / d pre-activation of the gate, for channel i of image n. */
static double gate_gradient(const sq_reference_call *call, int n, int i)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    double sum = 0;
    for (int h = 0; h < x->h; h++)
        for (int w = 0; w < x->w; w++)
            sum += (double)*sq_ref_at(call, op->grad, sq_at(n, h, w, i)) * sq_ref_value(call, op->x, sq_at(n, h, w, i));
    return sum * sq_activate_slope(op->gate_activation, gate_pre(call, n, i));
}

/* Returns d loss / d hidden value j before its relu, for image n. */
static double hidden_gradient(const sq_reference_call *call, int n, int j)
{
    const sq_op *op = call->op;
    const int r = sq_ref_slot(call, op->hidden)->c;
    double sum = 0;
    if (!(*sq_ref_at(call, op->hidden, sq_at(n, 0, 0, j)) > 0))
        return 0;
    for (int i = 0; i < sq_ref_slot(call, op->x.slot)->c; i++)
        sum += gate_gradient(call, n, i) * sq_ref_data(call, op->weight2)[i * r + j];
    return sum;
}

static void gate_weight_gradients(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    const int r = sq_ref_slot(call, op->hidden)->c;
    for (int j = 0; j < r; j++)
        for (int i = -1; i < x->c; i++) { /* i = -1 stands for the bias */
            double sum = 0;
            for (int n = 0; n < x->n; n++)
                sum += hidden_gradient(call, n, j) * (i < 0 ? 1 : *sq_ref_at(call, op->pooled, sq_at(n, 0, 0, i)));
            sq_ref_store(
                call, i < 0 ? sq_ref_data(call, op->bias_grad) + j : sq_ref_data(call, op->weight_grad) + j * x->c + i,
                sum);
        }
    for (int i = 0; i < x->c; i++)
        for (int j = -1; j < r; j++) {
            double sum = 0;
            for (int n = 0; n < x->n; n++)
                sum += gate_gradient(call, n, i) * (j < 0 ? 1 : *sq_ref_at(call, op->hidden, sq_at(n, 0, 0, j)));
            sq_ref_store(
                call, j < 0 ? sq_ref_data(call, op->bias2_grad) + i : sq_ref_data(call, op->weight2_grad) + i * r + j,
                sum);
        }
}

void sq_reference_gate_back(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    const int r = sq_ref_slot(call, op->hidden)->c;
    gate_weight_gradients(call);
    for (int n = 0; n < x->n; n++) {
        double pooled[MOST_CHANNELS];
        for (int i = 0; i < x->c; i++) {
            pooled[i] = 0;
            for (int j = 0; j < r; j++)
                pooled[i] += hidden_gradient(call, n, j) * sq_ref_data(call, op->weight)[j * x->c + i];
        }
        for (int h = 0; h < x->h; h++)
            for (int w = 0; w < x->w; w++)
                for (int i = 0; i < x->c; i++)
                    *sq_ref_at(call, op->dx, sq_at(n, h, w, i)) =
                        (float)((double)*sq_ref_at(call, op->grad, sq_at(n, h, w, i)) *
                                    *sq_ref_at(call, op->out, sq_at(n, 0, 0, i)) +
                                pooled[i] / ((double)x->h * x->w));
    }
    sq_ref_sums(call, op->x, op->dx);
}

/* ---- Joins ---- */

static float *joined(const sq_reference_call *call, int slot, bool is_y, sq_position p)
{
    const sq_op *op = call->op;
    const int offset = !is_y && op->join == SQ_JOIN_CONCAT && op->y.slot != SQ_NONE ? sq_ref_view_c(call, op->y) : 0;
    return sq_ref_at(call, slot, sq_at(p.n, p.h, p.w, p.i + offset));
}

void sq_reference_join(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    for (int n = 0; n < x->n; n++)
        for (int h = 0; h < x->h; h++)
            for (int w = 0; w < x->w; w++) {
                for (int i = 0; i < sq_ref_view_c(call, op->x); i++)
                    *joined(call, op->out, false, sq_at(n, h, w, i)) = sq_ref_value(call, op->x, sq_at(n, h, w, i));
                for (int i = 0; op->y.slot != SQ_NONE && i < sq_ref_view_c(call, op->y); i++) {
                    float *out = joined(call, op->out, true, sq_at(n, h, w, i));
                    *out = sq_ref_value(call, op->y, sq_at(n, h, w, i)) + (op->join == SQ_JOIN_ADD ? *out : 0);
                }
            }
}

static void join_back_one(const sq_reference_call *call, sq_view view, bool is_y, int dx, sq_part part)
{
    const sq_slot *x = sq_ref_slot(call, view.slot);
    for (int n = 0; n < x->n && dx != call->op->grad; n++)
        for (int h = 0; h < x->h; h++)
            for (int w = 0; w < x->w; w++)
                for (int i = 0; i < sq_ref_view_c(call, view); i++)
                    *sq_ref_part_at(call, dx, part, sq_at(n, h, w, i)) =
                        *joined(call, call->op->grad, is_y, sq_at(n, h, w, i));
    sq_ref_sums(call, view, dx);
}

void sq_reference_join_back(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    if (op->dx != SQ_NONE)
        join_back_one(call, op->x, false, op->dx, op->dx_part);
    if (op->dy != SQ_NONE)
        join_back_one(call, op->y, true, op->dy, op->dy_part);
}

/* ---- Pooling, classifier, loss ---- */

static float dropout(const sq_reference_call *call, int n, int i, int c)
{
    const sq_op *op = call->op;
    const sq_step *step = sq_ref_step(call);
    if (!(op->dropout > 0) || op->statistics != SQ_STATISTICS_BATCH)
        return 1;
    return sq_dropout_scale(step->seed, step->step, (uint32_t)((step->first_image + n) * c + i), op->dropout);
}

void sq_reference_pool(const sq_reference_call *call)
{
    const sq_slot *x = sq_ref_slot(call, call->op->x.slot);
    for (int n = 0; n < x->n; n++)
        for (int i = 0; i < x->c; i++)
            *sq_ref_at(call, call->op->out, sq_at(n, 0, 0, i)) =
                (float)(mean_of(call, call->op->x, n, i) * dropout(call, n, i, x->c));
}

void sq_reference_pool_back(const sq_reference_call *call)
{
    const sq_slot *x = sq_ref_slot(call, call->op->x.slot);
    for (int n = 0; n < x->n; n++)
        for (int h = 0; h < x->h; h++)
            for (int w = 0; w < x->w; w++)
                for (int i = 0; i < x->c; i++)
                    *sq_ref_at(call, call->op->dx, sq_at(n, h, w, i)) =
                        *sq_ref_at(call, call->op->grad, sq_at(n, 0, 0, i)) * dropout(call, n, i, x->c) /
                        (float)(x->h * x->w);
    sq_ref_sums(call, call->op->x, call->op->dx);
}

void sq_reference_linear(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *out = sq_ref_slot(call, op->out);
    const int c_in = sq_ref_view_c(call, op->x);
    for (int n = 0; n < out->n; n++)
        for (int o = 0; o < out->c; o++) {
            double sum = op->bias == SQ_NONE ? 0 : sq_ref_data(call, op->bias)[o];
            for (int i = 0; i < c_in; i++)
                sum += (double)sq_ref_data(call, op->weight)[(size_t)o * (size_t)c_in + (size_t)i] *
                       sq_ref_value(call, op->x, sq_at(n, 0, 0, i));
            *sq_ref_at(call, op->out, sq_at(n, 0, 0, o)) = (float)sum;
        }
}

void sq_reference_linear_back(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *out = sq_ref_slot(call, op->grad);
    const int c_in = sq_ref_view_c(call, op->x);
    for (int o = 0; o < out->c; o++)
        for (int i = -1; i < c_in; i++) { /* i = -1 stands for the bias */
            double sum = 0;
            for (int n = 0; n < out->n; n++)
                sum += (double)*sq_ref_at(call, op->grad, sq_at(n, 0, 0, o)) *
                       (i < 0 ? 1 : sq_ref_value(call, op->x, sq_at(n, 0, 0, i)));
            if (i >= 0)
                sq_ref_store(call, sq_ref_data(call, op->weight_grad) + (size_t)o * (size_t)c_in + (size_t)i, sum);
            else if (op->bias_grad != SQ_NONE)
                sq_ref_store(call, sq_ref_data(call, op->bias_grad) + o, sum);
        }
    for (int n = 0; n < out->n && op->dx != SQ_NONE; n++)
        for (int i = 0; i < c_in; i++) {
            double sum = 0;
            for (int o = 0; o < out->c; o++)
                sum += (double)*sq_ref_at(call, op->grad, sq_at(n, 0, 0, o)) *
                       sq_ref_data(call, op->weight)[(size_t)o * (size_t)c_in + (size_t)i];
            *sq_ref_at(call, op->dx, sq_at(n, 0, 0, i)) = (float)sum;
        }
}

void sq_reference_loss(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_slot *x = sq_ref_slot(call, op->x.slot);
    const sq_step *step = sq_ref_step(call);
    const int32_t *labels = sq_host_address(call->graph, call->at, op->labels);
    sq_result *result = sq_host_address(call->graph, call->at, op->out);
    for (int n = 0; n < x->n; n++) {
        float *gradient = op->dx == SQ_NONE ? NULL : sq_ref_at(call, op->dx, sq_at(n, 0, 0, 0));
        if (n >= step->valid_count) {
            if (gradient)
                memset(gradient, 0, (size_t)x->c * sizeof *gradient);
            continue;
        }
        const sq_loss_row row = {.logits = sq_ref_at(call, op->x.slot, sq_at(n, 0, 0, 0)),
                                 .gradient = gradient,
                                 .classes = x->c,
                                 .label = labels[n],
                                 .smoothing = op->label_smoothing,
                                 .scale = step->gradient_scale / (float)step->valid_count};
        sq_loss_of_row(&row, result);
    }
}

void sq_reference_update(const sq_reference_call *call)
{
    const sq_op *op = call->op;
    const sq_step *step = sq_ref_step(call);
    float *weight = sq_ref_data(call, op->weight), *momentum = sq_ref_data(call, op->momentum);
    float *average = op->average == SQ_NONE ? NULL : sq_ref_data(call, op->average);
    const float *gradient = sq_ref_data(call, op->weight_grad);
    for (int i = 0; i < sq_ref_slot(call, op->weight)->c; i++) {
        const float decay = (size_t)i < op->decayed_count ? step->weight_decay : 0;
        momentum[i] = step->momentum * momentum[i] + (gradient[i] + decay * weight[i]);
        weight[i] -= step->learning_rate * momentum[i];
        if (average)
            average[i] = step->average_decay * average[i] + (1 - step->average_decay) * weight[i];
    }
}
