/* Dense k x k convolution. The patches of a tile of output pixels are copied into a matrix (im2col), which is
 * multiplied by the weights. Each image is handled by one thread, so that the overlapping sums of the input gradient
 * need no locks. */
#include <cblas.h>

#include "kernels/cpu/band.h"
#include "kernels/cpu/statistics.h"

enum { TILE_FLOATS = 64 * 1024 };

static int patch_count(const sq_cpu_call *call)
{
    return call->x.c * call->op->kernel * call->op->kernel;
}

/* Sets the number of output rows per tile, and the number of tiles. */
static void choose_tiles(sq_cpu_call *call)
{
    const int rows = TILE_FLOATS / (call->z.w * (patch_count(call) + call->z.c));
    call->tile = rows < 1 ? 1 : rows > call->z.h ? call->z.h : rows;
    call->groups = (call->z.h + call->tile - 1) / call->tile; /* tiles of an image */
    call->tiles = call->groups * call->x.n;
}

/* Returns the tile of all input pixels of image n. */
static sq_tile image_tile(const sq_cpu_call *call, int n)
{
    const int pixels = call->x.h * call->x.w;
    return (sq_tile){(size_t)n * (size_t)pixels, pixels};
}

static size_t image_floats(const sq_cpu_call *call)
{
    return (size_t)call->x.h * (size_t)call->x.w * (size_t)call->x.c;
}

/* Copies the patches of output rows first .. first + rows - 1 to out (rows * w_out, c * k * k), in the order of the
 * weights. `image` holds the activated image (h, w, c). */
static void copy_patches(const sq_cpu_call *call, const float *image, int first, int rows, float *out)
{
    const int k = call->op->kernel, stride = call->op->stride, pad = k / 2, c = call->x.c, h_in = call->x.h,
              w_in = call->x.w;
    for (int p = 0; p < rows * call->z.w; p++)
        for (int y = 0; y < k; y++)
            for (int x = 0; x < k; x++) {
                const int h = (first + p / call->z.w) * stride + y - pad, w = p % call->z.w * stride + x - pad;
                const bool is_inside = h >= 0 && h < h_in && w >= 0 && w < w_in;
                const float *from = is_inside ? image + ((size_t)h * (size_t)w_in + (size_t)w) * (size_t)c : NULL;
                float *to = out + ((size_t)p * (size_t)c * (size_t)k + (size_t)y) * (size_t)k + (size_t)x;
                for (int i = 0; i < c; i++)
                    to[i * k * k] = from ? from[i] : 0;
            }
}

/* Reverses copy_patches: adds the gradients of the patches to the gradient of the image. */
static void add_patches(const sq_cpu_call *call, const float *patches, int first, int rows, float *image)
{
    const int k = call->op->kernel, stride = call->op->stride, pad = k / 2, c = call->x.c, h_in = call->x.h,
              w_in = call->x.w;
    for (int p = 0; p < rows * call->z.w; p++)
        for (int y = 0; y < k; y++)
            for (int x = 0; x < k; x++) {
                const int h = (first + p / call->z.w) * stride + y - pad, w = p % call->z.w * stride + x - pad;
                if (h < 0 || h >= h_in || w < 0 || w >= w_in)
                    continue;
                float *to = image + ((size_t)h * (size_t)w_in + (size_t)w) * (size_t)c;
                const float *from = patches + ((size_t)p * (size_t)c * (size_t)k + (size_t)y) * (size_t)k + (size_t)x;
                for (int i = 0; i < c; i++)
                    to[i] += from[i * k * k];
            }
}

void SQ_CPU_NAME(dense_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    choose_tiles(call);
    *shared = 2 * (size_t)call->z.c * (size_t)call->x.n;
    *scratch = image_floats(call) + (size_t)call->tile * (size_t)call->z.w * (size_t)patch_count(call);
}

void SQ_CPU_NAME(dense_run)(const sq_cpu_call *call)
{
    const int pixels = call->z.h * call->z.w, c_out = call->z.c, patch = patch_count(call);
    const bool has_moments = call->op->statistics != SQ_STATISTICS_FIXED;
    float *partial = call->workspace->shared;
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int n = 0; n < call->x.n; n++) {
        float *image = scratch_of(call), *patches = image + image_floats(call);
        float *out = call->out.data + (size_t)n * (size_t)pixels * (size_t)call->out.pitch;
        sq_tile_load(&call->x, image_tile(call, n), (sq_rows){image, call->x.c});
        for (int first = 0; first < call->z.h; first += call->tile) {
            const int rows = call->z.h - first < call->tile ? call->z.h - first : call->tile;
            copy_patches(call, image, first, rows, patches);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows * call->z.w, c_out, patch, 1, patches, patch,
                        call->weight, patch, 0, out + (size_t)first * (size_t)call->z.w * (size_t)call->out.pitch,
                        call->out.pitch);
        }
        if (has_moments)
            sq_tile_moments((sq_const_rows){out, call->out.pitch}, pixels, c_out,
                            partial + 2 * (size_t)c_out * (size_t)n);
    }
    if (has_moments)
        sq_merge_moments(call, &(sq_tile_moments_list){partial, call->x.n, pixels, pixels});
    else
        sq_fix_norm(call);
}

/* ---- Backward ---- */

enum { WEIGHT_GROUPS = 16 };

static int group_count(const sq_cpu_call *call)
{
    return call->x.n < WEIGHT_GROUPS ? call->x.n : WEIGHT_GROUPS;
}

void SQ_CPU_NAME(dense_back_prepare)(sq_cpu_call *call, size_t *shared, size_t *scratch)
{
    choose_tiles(call);
    const size_t patch = (size_t)patch_count(call), tile_pixels = (size_t)call->tile * (size_t)call->z.w;
    *shared = (size_t)group_count(call) * patch * (size_t)call->z.c + 2 * (size_t)call->x.c * (size_t)call->x.n +
              3 * (size_t)sq_cpu_padded(call->z.c);
    *scratch = 2 * image_floats(call) + tile_pixels * (2 * patch + (size_t)call->z.c);
}

static void write_image(const sq_cpu_call *call, int n, const float *image)
{
    const sq_cpu_view *dx = &call->dx_view;
    const size_t pixels = (size_t)call->x.h * (size_t)call->x.w;
    for (size_t p = 0; p < pixels; p++) {
        float *to = dx->data + ((size_t)n * pixels + p) * (size_t)dx->pitch + dx->first;
        const float *addend =
            call->addend.data ? call->addend.data + ((size_t)n * pixels + p) * (size_t)call->addend.pitch : NULL;
        for (int i = 0; i < call->x.c; i++)
            to[i * dx->step] = image[p * (size_t)call->x.c + (size_t)i] + (addend ? addend[i] : 0);
    }
}

/* Computes the gradients of one image. is_first: the image is the first of its group, so weight_partial is
 * overwritten. */
static void back_image(const sq_cpu_call *call, const sq_gradient_workspace *w, int n, float *weight_partial,
                       bool is_first)
{
    const int c_out = call->z.c, patch = patch_count(call);
    const sq_tile all = image_tile(call, n);
    const size_t tile_pixels = (size_t)call->tile * (size_t)call->z.w;
    float *image = scratch_of(call), *image_grad = image + image_floats(call),
          *patches = image_grad + image_floats(call);
    float *patch_grad = patches + tile_pixels * (size_t)patch, *dz = patch_grad + tile_pixels * (size_t)patch;
    sq_tile_load(&call->x, all, (sq_rows){image, call->x.c});
    memset(image_grad, 0, image_floats(call) * sizeof *image_grad);
    for (int first = 0; first < call->z.h; first += call->tile) {
        const int rows = call->z.h - first < call->tile ? call->z.h - first : call->tile, count = rows * call->z.w;
        const size_t pixel = ((size_t)n * (size_t)call->z.h + (size_t)first) * (size_t)call->z.w;
        const sq_const_rows g = {call->grad.data + pixel * (size_t)call->grad.pitch, call->grad.pitch};
        sq_tile_gradient(&call->z, w->constants, (sq_tile){pixel, count}, g, (sq_rows){dz, c_out});
        copy_patches(call, image, first, rows, patches);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c_out, patch, count, 1, dz, c_out, patches, patch,
                    is_first && first == 0 ? 0 : 1, weight_partial, patch);
        if (!call->dx.data)
            continue;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, count, patch, c_out, 1, dz, c_out, call->weight, patch,
                    0, patch_grad, patch);
        add_patches(call, patch_grad, first, rows, image_grad);
    }
    if (!call->dx.data)
        return;
    write_image(call, n, image_grad);
    const sq_const_rows dx = {call->dx_view.data + all.first * (size_t)call->dx_view.pitch, call->dx_view.pitch};
    if (sq_wants_sums(&call->x))
        sq_tile_sums(&call->x, all, dx, w->sums + 2 * (size_t)call->x.c * (size_t)n);
}

void SQ_CPU_NAME(dense_back_run)(const sq_cpu_call *call)
{
    const int groups = group_count(call);
    const size_t weights = (size_t)patch_count(call) * (size_t)call->z.c;
    const sq_gradient_workspace w = sq_split_workspace(call, (size_t)groups * weights, call->x.n);
    sq_gradient_constants(call, w.constants);
#pragma omp parallel for num_threads(call->threads) schedule(dynamic, 1)
    for (int g = 0; g < groups; g++) {
        const int begin = call->x.n * g / groups, end = call->x.n * (g + 1) / groups;
        for (int n = begin; n < end; n++)
            back_image(call, &w, n, w.partial + (size_t)g * weights, n == begin);
    }
    sq_merge_weights(call, call->weight_grad, w.partial, groups, weights);
    if (call->dx.data)
        sq_merge_sums(&call->x, w.sums, call->x.n);
    sq_store_norm_grads(call);
}
