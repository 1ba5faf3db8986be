/* Activation functions. Comparisons are written so that a NaN input gives NaN. */
#include "kernels/activation.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static float clamp6(float x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static float linear(float x)
{
    return x;
}

static float linear_slope(float x)
{
    (void)x; /* constant */
    return 1;
}

static float relu(float x)
{
    return x < 0 ? 0 : x;
}

static float relu_slope(float x)
{
    return x > 0 ? 1 : 0;
}

static float relu6_slope(float x)
{
    return x > 0 && x < 6 ? 1 : 0;
}

static float hswish(float x)
{
    return x * clamp6(x + 3) / 6;
}

static float hswish_slope(float x)
{
    return x <= -3 ? 0 : x >= 3 ? 1 : (2 * x + 3) / 6;
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static float sigmoid_slope(float x)
{
    const float y = sigmoid(x);
    return y * (1 - y);
}

static float hsigmoid(float x)
{
    return clamp6(x + 3) / 6;
}

static float hsigmoid_slope(float x)
{
    return x > -3 && x < 3 ? 1.0f / 6 : 0;
}

static const struct {
    const char *name;
    float (*value)(float x);
    float (*slope)(float x);
} activations[] = {
    [SQ_LINEAR] = {"linear", linear, linear_slope},     [SQ_RELU] = {"relu", relu, relu_slope},
    [SQ_RELU6] = {"relu6", clamp6, relu6_slope},        [SQ_HSWISH] = {"hswish", hswish, hswish_slope},
    [SQ_SIGMOID] = {"sigmoid", sigmoid, sigmoid_slope}, [SQ_HSIGMOID] = {"hsigmoid", hsigmoid, hsigmoid_slope},
};
_Static_assert(sizeof activations / sizeof *activations == SQ_ACTIVATIONS, "one row per activation");

const char *sq_activation_name(sq_activation activation)
{
    return (unsigned)activation < SQ_ACTIVATIONS ? activations[activation].name : "unknown";
}

sq_activation sq_activation_find(const char *name)
{
    int found = 0;
    while (found < SQ_ACTIVATIONS && strcmp(activations[found].name, name) != 0)
        found++;
    return (sq_activation)found;
}

float sq_activate(sq_activation activation, float x)
{
    assert((unsigned)activation < SQ_ACTIVATIONS);
    return activations[activation].value(x);
}

float sq_activate_slope(sq_activation activation, float x)
{
    assert((unsigned)activation < SQ_ACTIVATIONS);
    return activations[activation].slope(x);
}
