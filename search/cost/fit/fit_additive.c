/* Fits the additive model by ridge regression. The design matrix has one centred column per (layer, choice). The
 * columns of a layer sum to zero, so the matrix is singular. This is intended: leaving out one column per layer would
 * make the regularised result depend on the choice that was left out. Directions with eigenvalue 0 are skipped, so the
 * values of a layer sum to 0 until apply_gauge shifts them. */
#include "search/cost/fit/fit_additive.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RIDGES = 45, ROUNDS_LIMIT = 30, FOLDS = 5, AUTO_LIMIT = 20, PLENTY = 10, MIN_NETWORKS = 3 };
static const double smallest_ridge = 1e-10, ridge_decades = 0.25; /* up to 10 in quarter decades */
static const double huber_k = 1.345;                              /* deviations; 95 % efficiency for normal errors */
static const double mad_of_normal = 0.6744897501960817;           /* median absolute deviation of N(0, 1) */
static const double rounding = 1e-12, converged = 1e-6;           /* relative to the largest fitted value */

/* LAPACK's eigenvalue solver, which is part of the BLAS library. The last two arguments are the lengths of the two
 * character arguments. */
void dsyevd_(const char *jobs, const char *triangle, const int *n, double *a, const int *stride, double *values,
             double *work, const int *work_count, int *integers, const int *integer_count, int *info,
             size_t jobs_length, size_t triangle_length);

typedef struct {
    const int *paths;
    const double *ms;
    size_t n;
    int layers, columns;
    int *column;                     /* [layer * choice_limit + choice] -> column; -1: the choice is unseen */
    double *weights;                 /* [n] */
    double *normal;                  /* [columns * columns] X'WX of centred columns, then its eigenvectors */
    double *right;                   /* [columns] X'Wy */
    double *values, *turned, *share; /* [columns] eigenvalues, V'X'Wy, weighted mean of each column */
    double *work;
    int *integers, work_count, integer_count;
    double *fitted, *scratch;    /* [n] */
    double mean, squares, total; /* weighted mean of ms, sum of squares around it, sum of weights */
    sq_additive *out;
} solver;

static int column_at(const solver *s, size_t network, int layer)
{
    const int choice = s->paths[network * (size_t)s->layers + (size_t)layer];
    return s->column[layer * s->out->choice_limit + choice];
}

/* Computes the normal equations X'WX and X'Wy of the centred columns and the centred times. If all weights are 1, the
 * sums before centring are integers and therefore exact. */
static void accumulate(solver *s)
{
    const size_t c = (size_t)s->columns;
    memset(s->normal, 0, c * c * sizeof *s->normal);
    memset(s->right, 0, c * sizeof *s->right);
    memset(s->share, 0, c * sizeof *s->share);
    s->mean = s->squares = s->total = 0;
    for (size_t i = 0; i < s->n; i++) {
        s->total += s->weights[i];
        s->mean += s->weights[i] * s->ms[i];
    }
    s->mean /= s->total;
    for (size_t i = 0; i < s->n; i++) {
        const double w = s->weights[i], y = s->ms[i] - s->mean;
        s->squares += w * y * y;
        for (int l = 0; l < s->layers; l++) {
            const size_t a = (size_t)column_at(s, i, l);
            s->share[a] += w;
            s->right[a] += w * y;
            for (int m = 0; m <= l; m++)
                s->normal[a * c + (size_t)column_at(s, i, m)] += w; /* row >= column: LAPACK's upper triangle */
        }
    }
    for (size_t a = 0; a < c; a++)
        for (size_t b = 0; b <= a; b++)
            s->normal[a * c + b] -= s->share[a] * s->share[b] / s->total;
    for (size_t a = 0; a < c; a++)
        s->share[a] /= s->total;
}

static sq_status decompose(solver *s)
{
    int info = 0;
    dsyevd_("V", "U", &s->columns, s->normal, &s->columns, s->values, s->work, &s->work_count, s->integers,
            &s->integer_count, &info, 1, 1);
    if (info != 0)
        return sq_fail(SQ_INVALID, "additive fit: %d eigenvalues of %d did not converge", info, s->columns);
    for (int e = 0; e < s->columns; e++) {
        s->turned[e] = 0;
        for (int a = 0; a < s->columns; a++)
            s->turned[e] += s->normal[(size_t)e * (size_t)s->columns + (size_t)a] * s->right[a];
    }
    return SQ_OK;
}

/* Returns the limit below which an eigenvalue counts as 0. The data does not determine the directions of such
 * eigenvalues, for example the common offset of a layer's values. */
static double floor_of(const solver *s)
{
    return 1e-11 * fmax(s->values[s->columns - 1], 0);
}

static double mean_eigenvalue(const solver *s)
{
    double sum = 0;
    int count = 0;
    for (int e = 0; e < s->columns; e++)
        if (s->values[e] > floor_of(s)) {
            sum += s->values[e];
            count++;
        }
    return count ? sum / count : 1;
}

/* Returns the effective number of parameters without the base. Sets *rest to the residual sum of squares. */
static double freedom_of(const solver *s, double lambda, double *rest)
{
    double freedom = 0, explained = 0, shrunk = 0;
    for (int e = 0; e < s->columns; e++) {
        const double d = s->values[e], z = s->turned[e];
        if (d <= floor_of(s))
            continue;
        freedom += d / (d + lambda);
        explained += z * z / d;
        shrunk += lambda / (d + lambda) * (lambda / (d + lambda)) * z * z / d;
    }
    *rest = fmax(s->squares - explained, 1e-20 * s->squares) + shrunk; /* rounding can make the difference negative */
    return freedom;
}

static double choose_ridge(const solver *s)
{
    const double unit = mean_eigenvalue(s), n = (double)s->n;
    double best = INFINITY, ridge = smallest_ridge;
    if (n >= PLENTY * s->columns)
        return ridge;
    for (int i = 0; i < RIDGES; i++) {
        const double candidate = smallest_ridge * pow(10, ridge_decades * i);
        double rest;
        const double left = n - 1 - freedom_of(s, candidate * unit, &rest);
        const double score = left > 1e-6 * n ? n * rest / (left * left) : INFINITY;
        if (score < best) {
            best = score;
            ridge = candidate;
        }
    }
    return ridge;
}

/* Computes the values of the seen choices, which sum to 0 in each layer, and the base that belongs to these values. */
static void solve(solver *s)
{
    const double lambda = s->out->ridge * mean_eigenvalue(s);
    const int table = s->layers * s->out->choice_limit;
    double rest;
    s->out->freedom = 1 + freedom_of(s, lambda, &rest);
    memset(s->right, 0, (size_t)s->columns * sizeof *s->right); /* becomes the solution */
    for (int e = 0; e < s->columns; e++) {
        const double d = s->values[e];
        if (d <= floor_of(s))
            continue;
        for (int a = 0; a < s->columns; a++)
            s->right[a] += s->normal[(size_t)e * (size_t)s->columns + (size_t)a] * s->turned[e] / (d + lambda);
    }
    s->out->base = s->mean;
    for (int a = 0; a < s->columns; a++)
        s->out->base -= s->share[a] * s->right[a];
    for (int i = 0; i < table; i++)
        s->out->ms[i] = s->column[i] < 0 ? 0 : s->right[s->column[i]];
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sets Huber's weights from the current residuals. Returns true when the fitted values have converged. */
static bool reweight(solver *s)
{
    double change = 0, size = 0;
    for (size_t i = 0; i < s->n; i++) {
        double sum = s->out->base;
        for (int l = 0; l < s->layers; l++)
            sum += s->right[column_at(s, i, l)];
        change = fmax(change, fabs(sum - s->fitted[i]));
        size = fmax(size, fabs(sum));
        s->fitted[i] = sum;
        s->scratch[i] = fabs(s->ms[i] - sum);
    }
    qsort(s->scratch, s->n, sizeof *s->scratch, by_value);
    const double reach = huber_k * s->scratch[s->n / 2] / mad_of_normal;
    for (size_t i = 0; i < s->n; i++) {
        const double r = fabs(s->ms[i] - s->fitted[i]);
        s->weights[i] = r <= reach || reach < rounding * size ? 1 : reach / r;
    }
    return change <= converged * size || reach < rounding * size; /* small reach: the fit is exact */
}

static sq_status fit(solver *s, const sq_additive_options *options)
{
    accumulate(s);
    SQ_TRY(decompose(s));
    s->out->ridge = options->ridge > 0 ? options->ridge : choose_ridge(s);
    solve(s);
    for (int round = 0; options->method == SQ_ADDITIVE_ROBUST && round < ROUNDS_LIMIT && !reweight(s); round++) {
        accumulate(s);
        SQ_TRY(decompose(s));
        if (options->ridge <= 0)
            s->out->ridge = choose_ridge(s);
        solve(s);
        s->out->rounds = round + 1;
    }
    return SQ_OK;
}

/* ---- Set-up ---- */

static int limit_of(const solver *s, const sq_additive_options *options, int layer)
{
    int limit = 0;
    if (options->limits)
        return options->limits[layer];
    for (size_t i = 0; i < s->n; i++) {
        const int choice = s->paths[i * (size_t)s->layers + (size_t)layer];
        limit = choice >= limit ? choice + 1 : limit;
    }
    return limit;
}

/* Counts the measurements of each choice, and assigns a column to each choice that was measured. */
static sq_status count_choices(solver *s, const sq_additive_options *options)
{
    sq_additive *out = s->out;
    for (int l = 0; l < s->layers; l++) {
        const int limit = limit_of(s, options, l), first = l * out->choice_limit;
        for (size_t i = 0; i < s->n; i++) {
            const int choice = s->paths[i * (size_t)s->layers + (size_t)l];
            if (choice < 0 || choice >= limit)
                return sq_fail(SQ_INVALID, "additive fit: network %zu, layer %d: choice %d, expected 0 to %d", i, l,
                               choice, limit - 1);
            out->seen[first + choice]++;
        }
        out->gauge[l] = -1;
        for (int c = 0; c < limit; c++) {
            const bool is_seen = out->seen[first + c] > 0;
            s->column[first + c] = is_seen ? s->columns++ : -1;
            out->unseen += !is_seen;
            out->gauge[l] = is_seen && out->gauge[l] < 0 ? c : out->gauge[l];
        }
        for (int c = limit; c < out->choice_limit; c++)
            s->column[first + c] = -1;
        if (options->gauge &&
            (options->gauge[l] < 0 || options->gauge[l] >= limit || !out->seen[first + options->gauge[l]]))
            return sq_fail(SQ_INVALID, "additive fit: layer %d: gauge %d is not among the measured choices", l,
                           options->gauge[l]);
        out->gauge[l] = options->gauge ? options->gauge[l] : out->gauge[l];
    }
    return SQ_OK;
}

static bool allocate_table(solver *s, const sq_additive_options *options)
{
    s->out = calloc(1, sizeof *s->out);
    if (!s->out)
        return false;
    s->out->layers = s->layers;
    for (int l = 0; l < s->layers; l++) {
        const int limit = limit_of(s, options, l);
        s->out->choice_limit = limit > s->out->choice_limit ? limit : s->out->choice_limit;
    }
    const size_t table = (size_t)s->layers * (size_t)(s->out->choice_limit + 1);
    s->out->ms = calloc(table, sizeof *s->out->ms);
    s->out->seen = calloc(table, sizeof *s->out->seen);
    s->out->gauge = calloc((size_t)s->layers, sizeof *s->out->gauge);
    s->column = calloc(table, sizeof *s->column);
    s->weights = malloc(s->n * sizeof *s->weights);
    s->fitted = calloc(s->n, sizeof *s->fitted);
    s->scratch = malloc(s->n * sizeof *s->scratch);
    return s->out->ms && s->out->seen && s->out->gauge && s->column && s->weights && s->fitted && s->scratch;
}

static bool allocate_solver(solver *s)
{
    const size_t c = (size_t)s->columns;
    s->work_count = 1 + 6 * s->columns + 2 * s->columns * s->columns; /* as documented for dsyevd */
    s->integer_count = 3 + 5 * s->columns;
    s->normal = malloc(c * c * sizeof *s->normal);
    s->right = malloc(c * sizeof *s->right);
    s->values = malloc(c * sizeof *s->values);
    s->turned = malloc(c * sizeof *s->turned);
    s->share = malloc(c * sizeof *s->share);
    s->work = malloc((size_t)s->work_count * sizeof *s->work);
    s->integers = malloc((size_t)s->integer_count * sizeof *s->integers);
    for (size_t i = 0; i < s->n; i++)
        s->weights[i] = 1;
    return s->normal && s->right && s->values && s->turned && s->share && s->work && s->integers;
}

static void release(solver *s)
{
    free(s->column);
    free(s->weights);
    free(s->fitted);
    free(s->scratch);
    free(s->normal);
    free(s->right);
    free(s->values);
    free(s->turned);
    free(s->share);
    free(s->work);
    free(s->integers);
}

/* Shifts the values of each layer so that the value of the gauge is 0, and adds the shift to the base. The predictions
 * do not change. */
static void apply_gauge(sq_additive *a)
{
    for (int l = 0; l < a->layers; l++) {
        const int first = l * a->choice_limit;
        const double zero = a->ms[first + a->gauge[l]];
        a->base += zero;
        for (int c = 0; c < a->choice_limit; c++)
            a->ms[first + c] = a->seen[first + c] ? a->ms[first + c] - zero : 0;
    }
}

static sq_status fit_by_one_method(sq_additive **out, const sq_additive_data *data, const sq_additive_options *options)
{
    solver s = {.paths = data->paths, .ms = data->ms, .n = data->count, .layers = data->layers};
    sq_status status = allocate_table(&s, options) ? count_choices(&s, options)
                                                   : sq_fail(SQ_NO_MEMORY, "additive fit: %zu networks", data->count);
    if (status == SQ_OK && !allocate_solver(&s))
        status = sq_fail(SQ_NO_MEMORY, "additive fit: %d values", s.columns);
    if (status == SQ_OK)
        status = fit(&s, options);
    release(&s);
    if (status == SQ_OK) {
        s.out->method = options->method;
        apply_gauge(s.out);
        *out = s.out;
    } else {
        sq_additive_free(s.out);
    }
    return status;
}

/* ---- The method ---- */

static bool is_known(const sq_additive *a, const int *path)
{
    for (int l = 0; l < a->layers; l++)
        if (path[l] >= a->choice_limit || a->seen[l * a->choice_limit + path[l]] == 0)
            return false;
    return true;
}

/* Copies all networks except those of fold k to `paths` and `ms`, which have room for all networks. */
static sq_additive_data without_fold(const sq_additive_data *data, size_t k, int *paths, double *ms)
{
    const size_t layers = (size_t)data->layers;
    size_t count = 0;
    for (size_t i = 0; i < data->count; i++)
        if (i % FOLDS != k) {
            memcpy(paths + count * layers, data->paths + i * layers, layers * sizeof *paths);
            ms[count++] = data->ms[i];
        }
    return (sq_additive_data){paths, data->layers, ms, count};
}

/* Sets *error to the sum of |predicted / measured - 1| over the networks. Each network is predicted by a fit without
 * the network's fold. */
static sq_status cross_validate(const sq_additive_data *data, const sq_additive_options *options, double *error)
{
    const size_t layers = (size_t)data->layers;
    int *paths = malloc(data->count * layers * sizeof *paths);
    double *ms = malloc(data->count * sizeof *ms);
    sq_status status = paths && ms ? SQ_OK : sq_fail(SQ_NO_MEMORY, "additive fit: %zu networks", data->count);
    *error = 0;
    for (size_t k = 0; status == SQ_OK && k < FOLDS; k++) {
        sq_additive *a = NULL;
        const sq_additive_data rest = without_fold(data, k, paths, ms);
        status = fit_by_one_method(&a, &rest, options);
        for (size_t i = k; status == SQ_OK && i < data->count; i += FOLDS) {
            double predicted = data->ms[i];
            if (is_known(a, data->paths + i * layers)) /* otherwise the error counts as 0 */
                status = sq_additive_predict(a, data->paths + i * layers, &predicted);
            *error += fabs(predicted - data->ms[i]) / fmax(fabs(data->ms[i]), DBL_MIN);
        }
        sq_additive_free(a);
    }
    free(paths);
    free(ms);
    return status;
}

/* Chooses the method by cross-validation. Sets errors[0] and errors[1] to the mean relative errors of the plain and the
 * robust fit; leaves errors unchanged if there are fewer than AUTO_LIMIT networks. */
static sq_status choose_method(const sq_additive_data *data, double ridge, sq_additive_method *out, double errors[2])
{
    const sq_additive_options plain = {.ridge = ridge, .method = SQ_ADDITIVE_PLAIN};
    const sq_additive_options robust = {.ridge = ridge, .method = SQ_ADDITIVE_ROBUST};
    double plain_sum, robust_sum;
    *out = SQ_ADDITIVE_PLAIN;
    if (data->count < AUTO_LIMIT)
        return SQ_OK;
    SQ_TRY(cross_validate(data, &plain, &plain_sum));
    SQ_TRY(cross_validate(data, &robust, &robust_sum));
    if (3 * robust_sum < 2 * plain_sum)
        *out = SQ_ADDITIVE_ROBUST;
    errors[0] = plain_sum / (double)data->count;
    errors[1] = robust_sum / (double)data->count;
    return SQ_OK;
}

static sq_status check_data(const sq_additive_data *data)
{
    if (data->count < MIN_NETWORKS)
        return sq_fail(SQ_INVALID, "additive fit: %zu networks, expected at least %d", data->count, MIN_NETWORKS);
    for (size_t i = 0; i < data->count; i++)
        if (!isfinite(data->ms[i]))
            return sq_fail(SQ_INVALID, "additive fit: network %zu: %g ms, expected a finite number", i, data->ms[i]);
    for (size_t i = 0; i < data->count * (size_t)data->layers; i++)
        if (data->paths[i] < 0)
            return sq_fail(SQ_INVALID, "additive fit: network %zu: choice %d, expected at least 0",
                           i / (size_t)data->layers, data->paths[i]);
    return SQ_OK;
}

sq_status sq_fit_additive(sq_additive **out, const sq_additive_data *data, const sq_additive_options *options)
{
    assert(data->layers > 0);
    sq_additive_options chosen = *options;
    double errors[2] = {NAN, NAN};
    SQ_TRY(check_data(data));
    if (options->method == SQ_ADDITIVE_AUTO)
        SQ_TRY(choose_method(data, options->ridge, &chosen.method, errors));
    SQ_TRY(fit_by_one_method(out, data, &chosen));
    (*out)->plain_error = errors[0];
    (*out)->robust_error = errors[1];
    return SQ_OK;
}

void sq_additive_free(sq_additive *additive)
{
    if (!additive)
        return;
    free(additive->ms);
    free(additive->seen);
    free(additive->gauge);
    free(additive);
}

sq_status sq_additive_predict(const sq_additive *additive, const int *path, double *ms)
{
    double sum = additive->base;
    for (int l = 0; l < additive->layers; l++) {
        const int i = l * additive->choice_limit + path[l];
        if (path[l] < 0 || path[l] >= additive->choice_limit || additive->seen[i] == 0)
            return sq_fail(SQ_DATA, "additive table: layer %d, choice %d was never measured", l, path[l]);
        sum += additive->ms[i];
    }
    *ms = sum;
    return SQ_OK;
}
